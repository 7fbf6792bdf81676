import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
// @ts-expect-error: scripts are plain JavaScript.
import { prune } from "../scripts/prune-dist.mjs";

const root = resolve(import.meta.dirname, "..");

describe("a build", () => {
  const folder = mkdtempSync(join(tmpdir(), "foldin-dist-"));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("keeps what src/ has and removes what modules that are gone left behind", () => {
    const [dist, src] = [join(folder, "dist"), join(folder, "src")];
    for (const path of [join(dist, "a"), join(src, "a")]) mkdirSync(path, { recursive: true });
    writeFileSync(join(src, "a", "kept.ts"), "");
    for (const name of ["kept", "gone"])
      for (const ending of [".js", ".js.map", ".d.ts", ".d.ts.map"])
        writeFileSync(join(dist, "a", name + ending), "");
    writeFileSync(join(dist, ".tsbuildinfo"), "");
    mkdirSync(join(dist, "studio", "page"), { recursive: true });
    writeFileSync(join(dist, "studio", "page", "index.html"), "");
    expect(prune(dist, src)).toEqual(
      ["gone.d.ts", "gone.d.ts.map", "gone.js", "gone.js.map"].map((name) => join("a", name)),
    );
    expect(readdirSync(join(dist, "a"))).toEqual(["kept.d.ts", "kept.d.ts.map", "kept.js", "kept.js.map"]);
    expect(existsSync(join(dist, ".tsbuildinfo"))).toBe(true);
    expect(existsSync(join(dist, "studio", "page", "index.html"))).toBe(true);
  });

  it("is packed without a file that has no source", () => {
    const { stdout, stderr, status } = spawnSync(
      "npm",
      ["pack", "--dry-run", "--json", "--ignore-scripts", "--offline"],
      { cwd: root, encoding: "utf8", shell: process.platform === "win32" },
    );
    expect(status, stderr).toBe(0);
    const answer = JSON.parse(stdout);
    const [{ files }] = (Array.isArray(answer) ? answer : Object.values(answer)) as {
      files: { path: string }[];
    }[];
    const page = files.filter(({ path }) => path.startsWith("dist/studio/page/"));
    expect(page.map(({ path }) => path)).toContain("dist/studio/page/index.html");
    const others = files.filter((file) => !page.includes(file));
    const sources = others.map(({ path }) =>
      path.replace(/^dist\/(.*?)\.(?:js|d\.ts)(?:\.map)?$/, "src/$1.ts"),
    );
    expect(sources.filter((path) => path.startsWith("src/")).length).toBeGreaterThan(1000);
    expect(sources.filter((path) => path.startsWith("dist/") || !existsSync(join(root, path)))).toEqual([]);
  });
});
