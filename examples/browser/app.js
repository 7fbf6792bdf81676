// Recommends in the browser: the history never leaves the page. The model is one ONNX file, written by `foldin export --onnx`.

import { readMetadata } from "./metadata.js";
import * as ort from "./ort/ort.wasm.min.mjs";

const HOW_MANY = 10;
const MATCHES = 8;
const element = (id) => document.getElementById(id);
const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();

ort.env.wasm.wasmPaths = new URL("./ort/", location.href).href;
ort.env.wasm.numThreads = 1;

try {
  const response = await fetch("model.onnx");
  if (!response.ok) throw new Error(`model.onnx: ${response.status} ${response.statusText}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const metadata = readMetadata(bytes);
  const { ids, titles } = JSON.parse(metadata["foldin.items"]);
  const names = ids.map((id, item) => titles?.[item] ?? id);
  const session = await ort.InferenceSession.create(bytes);
  start({ session, names, algorithm: metadata["foldin.algorithm"], size: bytes.length });
} catch (error) {
  element("status").textContent = `The model could not be loaded: ${error.message}`;
}

function start({ session, names, algorithm, size }) {
  const search = names.map(folded);
  const seen = [];
  const input = element("title");

  /** Items whose titles contain all words; those that begin with the text come first. */
  function matching(text) {
    const wanted = folded(text);
    if (wanted === "") return [];
    const words = wanted.split(/\s+/);
    return search
      .map((title, item) => ({ title, item }))
      .filter(({ title, item }) => !seen.includes(item) && words.every((word) => title.includes(word)))
      .sort(
        (a, b) => b.title.startsWith(wanted) - a.title.startsWith(wanted) || a.title.length - b.title.length,
      )
      .slice(0, MATCHES)
      .map(({ item }) => item);
  }

  async function recommend() {
    element("seen").replaceChildren(...seen.map((item) => entry(`${names[item]} ×`, () => remove(item))));
    if (seen.length === 0) return element("best").replaceChildren();
    const started = performance.now();
    const { items, scores } = await session.run({
      history: new ort.Tensor("int32", Int32Array.from(seen), [1, seen.length]),
      k: new ort.Tensor("int32", Int32Array.of(HOW_MANY), [1]),
    });
    const took = performance.now() - started;
    const rows = [...items.data].map((item, rank) => {
      const row = document.createElement("li");
      const score = document.createElement("span");
      score.textContent = scores.data[rank].toFixed(3);
      row.append(names[item], score);
      return row;
    });
    element("best").replaceChildren(...rows);
    element("status").textContent =
      `${algorithm}: ${rows.length} of ${names.length} titles, in ${took.toFixed(1)} ms`;
  }

  function add(item) {
    seen.push(item);
    input.value = "";
    element("matches").replaceChildren();
    return recommend();
  }

  function remove(item) {
    seen.splice(seen.indexOf(item), 1);
    return recommend();
  }

  function entry(text, action) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", action);
    item.append(button);
    return item;
  }

  input.addEventListener("input", () => {
    const matches = matching(input.value);
    element("matches").replaceChildren(...matches.map((item) => entry(names[item], () => add(item))));
  });
  input.addEventListener("keydown", ({ key }) => {
    const [first] = matching(input.value);
    if (key === "Enter" && first !== undefined) void add(first);
  });
  input.disabled = false;
  input.focus();
  element("status").textContent =
    `${algorithm} with ${names.length} titles, ${(size / 1e6).toFixed(1)} MB; nothing you type leaves this page`;
}
