// This machine's platform in the notation of napi-rs: "linux-x64-gnu", "darwin-arm64", "win32-x64-msvc". The equivalent of platformName in
// src/compute/engines/native.ts, for scripts that run before anything is built.
export function platformName() {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform === "win32") return `${name}-msvc`;
  if (process.platform !== "linux") return name;
  return `${name}-${process.report.getReport().header.glibcVersionRuntime ? "gnu" : "musl"}`;
}
