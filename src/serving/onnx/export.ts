// Exports a trained model as one ONNX file. Fold-in, scoring, masking and ranking are all part of the graph, so it runs in
// any ONNX runtime, including browsers.
//
//   history  int32 [batch, length]  input: indices of the history's items in any order, padded with -1; indices outside the
//                                   catalogue and duplicates are ignored
//   k        int32 [1]              input: number of items
//   items    int32 [batch, k]       output: best first, -1 if no items are left; k is limited to the size of the catalogue
//   scores   float32 [batch, k]     output: -infinity if no items are left
//
// Metadata: foldin.algorithm, and as JSON in the order of the indices foldin.items = { ids, titles } and, if the items have attributes,
// foldin.attributes = { name: { type, values } }.

import { UserError } from "../../core/errors.js";
import { bytesText } from "../../core/memory.js";
import { version } from "../../core/version.js";
import { type ItemAttributes, valuesOf } from "../../data/attributes/attributes.js";
import { dateText } from "../../data/attributes/types.js";
import { restoreModel } from "../../models/registry.js";
import { foldsInBySolving } from "../../recommender/fold-in.js";
import type { ModelFiles, Recommender } from "../../recommender/recommender.js";
import { fromRows } from "../../sparse/csr.js";
import { writeSolvedScores } from "./fold-in.js";
import { attribute, Graph, type WeightType } from "./graph.js";
import { type RecordedHistories, recordHistories } from "./histories.js";
import { type Recording, recordingEngine } from "./recording-engine.js";
import { dataTypes, encodeModel, type ModelProto, type ValueInfo } from "./schema.js";

/** The operator set version: 17 introduced LayerNormalization. */
const OPSET = 17;
const IR_VERSION = 8;
/** The maximum size of a protobuf message. */
const MOST_BYTES = 2 ** 31 - 1;

/** The exportable models that fold in by ridge regression. */
export const exportedWithSteps: readonly string[] = ["wmf", "ctr", "cdl", "cvae", "deep-music"];

/** The exportable models. */
export const exportable: readonly string[] = [
  ...["vae", "mult-vae", "mult-dae", "vamp", "h-vamp", "rec-vae", "vasp"],
  ...["ease", "slim", "item-knn", "elsa", ...exportedWithSteps],
];

export interface OnnxOptions {
  /** Data type of the stored weight matrices. Default "float32". */
  readonly weights?: WeightType;
  /** Conjugate gradient steps of a fold-in by ridge regression. Default 32. */
  readonly steps?: number;
}

const { int } = attribute;

/**
 * The bytes of the model's ONNX file. Throws UserError for a model that cannot be exported or needs more than `mostBytes`
 * (the limit of an ONNX file, 2 GiB).
 */
export async function onnxOf(
  files: ModelFiles,
  { weights = "float32", steps = 32 }: OnnxOptions = {},
  mostBytes = MOST_BYTES,
): Promise<Uint8Array> {
  const { algorithm, items, config } = files;
  const refuse = (why: string) =>
    new UserError({
      place: algorithm,
      problem: `the model cannot be exported: ${why}`,
      expected: `one of ${exportable.join(", ")}`,
    });
  if (!exportable.includes(algorithm)) throw refuse("its scores cannot be expressed as an ONNX graph");
  if (items.size === 0) throw refuse("it has no items");
  if (algorithm === "vae" && config.samplingSeed !== undefined)
    throw refuse(
      "it was trained with compatibility.sampleAtPrediction, and an ONNX graph cannot reproduce that noise",
    );
  const requireRoom = (what: string, bytes: number) => {
    if (bytes > mostBytes)
      throw new UserError({
        place: algorithm,
        problem: `${what} ${bytesText(bytes)}; the limit of an ONNX file is ${bytesText(mostBytes)}`,
        remedy: {
          float32: "Store the weights with --float16 (half the size) or --int8 (a quarter)",
          float16: "Store the weights with --int8",
          int8: "Train a smaller model",
        }[weights],
      });
  };
  const numbers = Object.values(files.tensors).reduce((sum, { data }) => sum + data.length, 0);
  requireRoom("its weights take", numbers * { float32: 4, float16: 2, int8: 1 }[weights]);

  const refuseKernel = (kernel: string) => refuse(`not supported in an ONNX graph: ${kernel}`);
  const graph = new Graph(weights);
  const recording = recordingEngine(graph, {
    items: items.size,
    refuse: refuseKernel,
  });
  const model = await restoreModel(files, { engine: recording.engine });
  const histories = recordHistories(graph, items.size);
  const scores = foldsInBySolving(model)
    ? await writeSolvedScores(graph, recording.engine, model, { histories, steps, refuse: refuseKernel })
    : await recordScores(recording, model, histories);
  if (scores === undefined) throw refuse("it ranks outside the engine");
  const outputs = rank(graph, scores, histories, items.size);

  const catalogue = JSON.stringify({ ids: items.ids, titles: items.titles ?? null });
  const attributes = items.attributes && JSON.stringify(await attributeValues(items.attributes));
  const bytes = await encodeModel(modelOf(graph, outputs, algorithm, { catalogue, attributes }));
  // Ids, titles and the indices of sparse weights also take space, which --int8 does not reduce.
  requireRoom("its file would take", bytes.length);
  return bytes;
}

/** Per attribute its type and the value of each item: a list for lists, a text for dates, null if it is missing. */
async function attributeValues(attributes: ItemAttributes) {
  const columns = await attributes.columns();
  const described = columns.map((column) => {
    const { name, type } = column;
    const values = Array.from({ length: attributes.size }, (_, item) => {
      const all = valuesOf(column, item);
      if (type === "list") return all;
      if (all.length === 0) return null;
      if (type === "boolean") return all[0] === "true";
      return type === "date" ? dateText(Number(all[0])) : all[0];
    });
    return [name, { type, values }];
  });
  return Object.fromEntries(described);
}

/** The scores [batch, items] that a model ranks; undefined if it does not rank in the engine. */
async function recordScores(
  recording: Recording,
  model: Recommender,
  histories: RecordedHistories,
): Promise<string | undefined> {
  recording.begin(histories);
  const anyone = fromRows(model.items.size, [[0]]);
  await model.score(anyone).topK(1, anyone);
  return recording.scores;
}

/** The top k items outside the history, as names of outputs. */
function rank(graph: Graph, scores: string, { seen }: RecordedHistories, items: number) {
  const masked = graph.node("Where", [seen, graph.float(Number.NEGATIVE_INFINITY), scores]);
  const k = graph.node("Min", [graph.node("Cast", ["k"], int("to", dataTypes.int64)), graph.ints(items)]);
  const [best, indices] = graph.severalOutputs("TopK", [masked, k], 2, int("axis", 1));
  const nothing = graph.node("Equal", [best, graph.float(Number.NEGATIVE_INFINITY)]);
  const found = graph.node("Cast", [indices], int("to", dataTypes.int32));
  return { scores: best, items: graph.node("Where", [nothing, graph.int32(-1), found]) };
}

function modelOf(
  graph: Graph,
  outputs: { items: string; scores: string },
  algorithm: string,
  metadata: { catalogue: string; attributes: string | undefined },
): ModelProto {
  const dimensions = (...dims: (string | number)[]) =>
    dims.map((dim) => (typeof dim === "number" ? { dimValue: dim } : { dimParam: dim }));
  const info = (
    name: string,
    type: keyof typeof dataTypes,
    dim: ValueInfo["type"]["tensorType"]["shape"]["dim"],
    docString: string,
  ): ValueInfo => ({
    name,
    docString,
    type: { tensorType: { elemType: dataTypes[type], shape: { dim } } },
  });
  for (const name of ["items", "scores"] as const)
    graph.nodes.push({
      ...{ name, opType: "Identity", input: [outputs[name]], output: [name], attribute: [] },
    });
  return {
    irVersion: IR_VERSION,
    opsetImport: [{ domain: "", version: OPSET }],
    producerName: "foldin",
    producerVersion: version,
    docString: `${algorithm}: the top k items for a history of item indices. Ids and titles are in the metadata entry foldin.items.`,
    graph: {
      name: algorithm,
      node: graph.nodes,
      initializer: graph.initializers,
      input: [
        info("history", "int32", dimensions("batch", "length"), "item indices, padded with -1"),
        info("k", "int32", dimensions(1), "number of items"),
      ],
      output: [
        info("items", "int32", dimensions("batch", "found"), "item indices, best first; -1 = none left"),
        info("scores", "float32", dimensions("batch", "found"), "the model's scores; -infinity = none left"),
      ],
    },
    metadataProps: [
      { key: "foldin.algorithm", value: algorithm },
      { key: "foldin.items", value: metadata.catalogue },
      ...(metadata.attributes === undefined
        ? []
        : [{ key: "foldin.attributes", value: metadata.attributes }]),
    ],
  };
}
