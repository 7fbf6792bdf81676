// Compares `export --onnx` with foldin: for each precision of weights, the size of the file, the number of histories with the same
// best 20 items (up to ties), NDCG@100 on the test users, and milliseconds per single history, all measured with ONNX Runtime
// (onnxruntime-web, WebAssembly, one thread).
//   npm run build && node bench/onnx.mjs <run> <dataset folder> [--steps 32] [--weights float32,float16,int8]
import { parseArgs } from "node:util";
import ort from "onnxruntime-web";
import { loadDataset, loadRecommender } from "../dist/index.js";
import { findModelFolder, readModelFiles } from "../dist/recommender/model-files.js";
import { onnxOf } from "../dist/serving/onnx/export.js";
import { rowIndices, sliceRows, stackRows } from "../dist/sparse/csr.js";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: "string", default: "32" },
    weights: { type: "string", default: "float32,float16,int8" },
    users: { type: "string", default: "1000" },
  },
});
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
const [run, folder] = positionals;
const model = await loadRecommender(run, { threads: 1 });
const dataset = await loadDataset(folder, { content: false });
const { foldIn, heldOut } = dataset.test;
if (dataset.items.ids.join() !== model.items.ids.join()) throw new Error("the run has other items");
// Agreement is also measured on the validation users' histories; NDCG is that of the test users.
const everybody = stackRows(foldIn.columns, [foldIn, dataset.validation.foldIn]);
const users = Math.min(everybody.rows, Number(values.users));
const judgedUsers = Math.min(foldIn.rows, users);
const histories = sliceRows(everybody, 0, users);
const ours = await model.score(histories).topK(100, histories);
console.log(
  `${model.algorithm}, ${users} histories, ${judgedUsers} test users, foldin: NDCG@100 ${ndcg(ours).toFixed(4)}`,
);
const files = await readModelFiles(await findModelFolder(run));
for (const weights of values.weights.split(",")) {
  const bytes = await onnxOf(files, { weights, steps: Number(values.steps) });
  const session = await ort.InferenceSession.create(bytes);
  const theirs = { k: 100, items: new Int32Array(users * 100), scores: new Float32Array(users * 100) };
  const started = performance.now();
  for (let user = 0; user < users; user++) {
    const history = Int32Array.from(rowIndices(histories, user));
    const { items, scores } = await session.run({
      history: new ort.Tensor("int32", history, [1, history.length]),
      k: new ort.Tensor("int32", Int32Array.of(100), [1]),
    });
    theirs.items.set(items.data, user * 100);
    theirs.scores.set(scores.data, user * 100);
  }
  const each = (performance.now() - started) / users;
  await session.release();
  const { same, swapped, different, furthest } = compare(ours, theirs, 20);
  console.log(
    `${weights}: ${(bytes.length / 1e6).toFixed(1)} MB, NDCG@100 ${ndcg(theirs).toFixed(4)}, top 20 the same for ${same} users, equal but for ties ${swapped}, different ${different} (furthest ${furthest.toExponential(1)} of the scores' range), ${each.toFixed(2)} ms per history`,
  );
}
model.dispose();

/** Lists whose items differ only where scores are practically equal are "swapped". */
function compare(a, b, depth) {
  let [same, swapped, different, furthest] = [0, 0, 0, 0];
  for (let user = 0; user < users; user++) {
    const at = user * 100;
    const range = a.scores[at] - a.scores[at + 99] || 1;
    let distance = 0;
    let equal = true;
    for (let rank = 0; rank < depth; rank++) {
      if (a.items[at + rank] === b.items[at + rank]) continue;
      equal = false;
      const place = a.items.subarray(at, at + 100).indexOf(b.items[at + rank]);
      const score = place < 0 ? a.scores[at + 99] : a.scores[at + place];
      distance = Math.max(distance, Math.abs(score - a.scores[at + rank]) / range);
    }
    if (equal) same++;
    else if (distance < 1e-4) swapped++;
    else different++;
    furthest = Math.max(furthest, distance);
  }
  return { same, swapped, different, furthest };
}

function ndcg({ items, k }) {
  let sum = 0;
  let evaluated = 0;
  for (let user = 0; user < judgedUsers; user++) {
    const wanted = new Set(rowIndices(heldOut, user));
    if (wanted.size === 0) continue;
    let gain = 0;
    let ideal = 0;
    for (let rank = 0; rank < 100; rank++) {
      if (wanted.has(items[user * k + rank])) gain += 1 / Math.log2(rank + 2);
      if (rank < wanted.size) ideal += 1 / Math.log2(rank + 2);
    }
    sum += gain / ideal;
    evaluated++;
  }
  return sum / evaluated;
}
