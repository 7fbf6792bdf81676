// Serves the page, a model and onnxruntime-web on this machine only: node examples/browser/server.mjs model.onnx [port]
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [model, port = "8100"] = process.argv.slice(2);
if (model === undefined || !existsSync(model)) {
  console.error(
    "usage: node examples/browser/server.mjs <model.onnx> [port]; foldin export <run> --onnx model.onnx makes one",
  );
  process.exit(2);
}
const here = dirname(fileURLToPath(import.meta.url));
const runtime = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
const files = {
  "/": join(here, "index.html"),
  "/app.js": join(here, "app.js"),
  "/metadata.js": join(here, "metadata.js"),
  "/model.onnx": model,
  ...Object.fromEntries(
    ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"].map((name) => [
      `/ort/${name}`,
      join(runtime, name),
    ]),
  ),
};
const types = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  mjs: "text/javascript",
  wasm: "application/wasm",
};

const server = createServer((request, response) => {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const file = Object.hasOwn(files, path) ? files[path] : undefined;
  if (file === undefined) {
    response.writeHead(404).end("not found");
    return;
  }
  const type = types[file.split(".").pop()] ?? "application/octet-stream";
  response.writeHead(200, { "content-type": type, "content-length": statSync(file).size });
  createReadStream(file).pipe(response);
});
server.listen(Number(port), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
