// The points of a search as CSV: one row each in the order of the search, the varied options first.

import { csvCell } from "../../core/csv.js";
import { optionText } from "../option-text.js";
import type { SearchResult } from "./result.js";

export function resultsCsv({ points, space, best, chosenOn }: SearchResult): string {
  const varied = space.map(({ name }) => name);
  const metrics = Object.keys(best.metrics ?? {});
  const head = [
    ...varied,
    ...metrics.flatMap((name) => [`${chosenOn} ${name}`, `${chosenOn} ${name} standard error`]),
    ...["epochs", "chosen epoch", "seconds", "best", "message", "run"],
  ];
  const rows = points.map((point) => [
    ...varied.map((name) => optionText(point.setting[name])),
    ...metrics.flatMap((name) => [point.metrics?.[name].mean, point.metrics?.[name].standardError]),
    ...[point.epochs, point.chosenEpoch, point.seconds, point.key === best.key ? 1 : 0, point.message],
    `points/${point.key}`,
  ]);
  return [head, ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
}

function cell(value: string | number | null | undefined): string {
  const text = value === undefined || value === null ? "" : String(value);
  return csvCell(text);
}
