// The names of metrics on pages.

const metricNames: Record<string, string> = {
  ndcg: "NDCG",
  recall: "Recall",
  "recall-plain": "Recall (plain)",
  precision: "Precision",
  map: "MAP",
  mrr: "MRR",
  "hit-rate": "Hit rate",
  coverage: "Coverage",
  gini: "Gini index",
  novelty: "Novelty",
  diversity: "Diversity",
  "long-tail": "Long tail",
  calibration: "Calibration",
};

/** "ndcg@100" -> "NDCG@100". */
export function metricLabel(name: string): string {
  const [kind, k] = name.split("@");
  const label = metricNames[kind] ?? kind;
  return k === undefined ? label : `${label}@${k}`;
}
