// A batch of histories in a graph, derived from the input "history".

import { attribute, type Graph, tensor } from "./graph.js";
import { dataTypes } from "./schema.js";

const { int, tensor: tensorAttribute } = attribute;

/** The values of a batch of histories in the graph, by name. */
export interface RecordedHistories {
  /** int32 [batch, length]: item indices, 0 for padding. */
  readonly index: string;
  /** float32 [batch, length]: 1 at one position of each item of the history, otherwise 0. */
  readonly weight: string;
  /** bool [batch, length]: the same as `weight`. */
  readonly first: string;
  /** float32 [batch, 1]: number of items. */
  readonly count: string;
  /** bool [batch, items]: whether the item is in the history. */
  readonly seen: string;
  /** int64 [2]: batch, items + 1. */
  readonly marksShape: string;
}

/** Derives the values that recording needs from the input "history". */
export function recordHistories(graph: Graph, items: number): RecordedHistories {
  const zero = graph.int32(0);
  const outside = graph.int32(items);
  const valid = graph.node("And", [
    graph.node("GreaterOrEqual", ["history", zero]),
    graph.node("Less", ["history", outside]),
  ]);
  const shape = graph.node("Shape", ["history"]);
  const batch = graph.node("Slice", [shape, graph.ints(0), graph.ints(1)]);
  const length = graph.node("Squeeze", [
    graph.node("Slice", [shape, graph.ints(1), graph.ints(2)]),
    graph.ints(0),
  ]);
  const range = graph.node("Range", [
    zero,
    graph.node("Cast", [length], int("to", dataTypes.int32)),
    graph.int32(1),
  ]);
  const place = graph.node("Expand", [range, shape]);
  // Each item gets one of its positions in the history, or -1. Indices outside the catalogue go to an additional column.
  const marksShape = graph.node("Concat", [batch, graph.ints(items + 1)], int("axis", 0));
  const none = graph.node(
    "ConstantOfShape",
    [marksShape],
    tensorAttribute("value", tensor("int32", Int32Array.of(-1), [1])),
  );
  const column = graph.node("Where", [valid, "history", outside]);
  const marks = graph.node("ScatterElements", [none, column, place], int("axis", 1));
  const kept = graph.node("GatherElements", [marks, column], int("axis", 1));
  const first = graph.node("And", [valid, graph.node("Equal", [kept, place])]);
  const weight = graph.node("Cast", [first], int("to", dataTypes.float32));
  return {
    ...{ first, weight, marksShape },
    index: graph.node("Where", [valid, "history", zero]),
    count: graph.node("ReduceSum", [weight, graph.ints(1)], int("keepdims", 1)),
    seen: graph.node("GreaterOrEqual", [
      graph.node("Slice", [marks, graph.ints(0), graph.ints(items), graph.ints(1)]),
      zero,
    ]),
  };
}

/** The sum over each history's items of their rows [batch, length, width]: [batch, width] */
export function summedOverHistory(graph: Graph, { weight }: RecordedHistories, rows: string): string {
  const weights = graph.node("Unsqueeze", [weight, graph.ints(1)]);
  return graph.node("Squeeze", [graph.node("MatMul", [weights, rows]), graph.ints(1)]);
}
