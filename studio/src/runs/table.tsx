// The table of runs: a row per run, sorted by the buttons in its headings.

import { useEffect, useState } from "preact/hooks";
import type { Estimate, Run, SplitName } from "../../../src/studio/api.js";
import { classOf } from "../charts/colours.js";
import { duration, metricLabel, size } from "../texts.js";
import { addressOfRun } from "../use-address.js";
import type { Order } from "./columns.js";
import { State } from "./state.js";

/** More than fit on a screen. */
const FIRST_ROWS = 40;

interface Props {
  readonly rows: readonly Run[];
  readonly split: SplitName;
  readonly order: Order;
  readonly metrics: readonly string[];
  readonly options: readonly string[];
  /** Names of the datasets by fingerprint; with only one, there is no column for it. */
  readonly datasets: ReadonlyMap<string, string>;
  /** The runs in the chart of curves, in the order of their colours. */
  readonly drawn: readonly string[];
  readonly selected: readonly string[];
  /** Metrics of which a lower value is better. */
  readonly lowerIsBetter: readonly string[];
  /** Whether no more runs can be selected. */
  readonly full: boolean;
  readonly onSort: (field: string) => void;
  readonly onSelect: (id: string) => void;
}

export function RunsTable(props: Props) {
  const { rows, split, order, metrics, options, datasets, drawn, selected, full, lowerIsBetter, onSelect } =
    props;
  const withDataset = datasets.size > 1;
  // A screen full of rows is shown before the others are made.
  const [isFirst, setIsFirst] = useState(true);
  useEffect(() => {
    const frame = requestAnimationFrame(() => setTimeout(() => setIsFirst(false)));
    return () => cancelAnimationFrame(frame);
  }, []);
  const shown = isFirst ? rows.slice(0, FIRST_ROWS) : rows;
  const heading = (field: string, label: string, kind = "") => {
    const isSorted = order.field === field;
    const direction = order.descending ? "descending" : "ascending";
    return (
      <th key={field} scope="col" class={kind} aria-sort={isSorted ? direction : undefined}>
        <button type="button" onClick={() => props.onSort(field)}>
          {label}
          <span class="arrow" aria-hidden="true">
            {isSorted ? (order.descending ? "▼" : "▲") : ""}
          </span>
        </button>
      </th>
    );
  };
  const best = new Map(
    metrics.map((name) => [name, bestOf(rows, split, name, lowerIsBetter.includes(name))]),
  );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
    <section class="wide" aria-label="Table of runs" tabIndex={0}>
      <table class="data">
        <thead>
          <tr>
            <th scope="col">
              <span class="hidden">Draw its curves</span>
            </th>
            {heading("run", "Run")}
            {heading("model", "Model")}
            {withDataset && heading("dataset", "Dataset")}
            {heading("state", "State")}
            {metrics.map((name) => heading(name, metricLabel(name), "number"))}
            {heading("seconds", "Time", "number")}
            {heading("size", "Size", "number")}
            {options.map((name) => heading(name, name, "number option"))}
          </tr>
        </thead>
        <tbody>
          {shown.map((run) => {
            const colour = drawn.indexOf(run.id);
            const isSelected = selected.includes(run.id);
            return (
              <tr key={run.id} class={isSelected ? "selected" : undefined}>
                <td>
                  <label class="pick">
                    <input
                      type="checkbox"
                      checked={isSelected}
                      disabled={full && !isSelected}
                      onChange={() => onSelect(run.id)}
                    />
                    <span class="hidden">Draw the curves of {run.id}</span>
                    {colour >= 0 && <span class={`swatch ${classOf(colour)}`} aria-hidden="true" />}
                  </label>
                </td>
                <th scope="row">
                  <a href={addressOfRun(run.id)}>{run.id}</a>
                </th>
                <td>{run.model}</td>
                {withDataset && <td>{datasets.get(run.dataset.fingerprint)}</td>}
                <td>
                  <State run={run} />
                </td>
                {metrics.map((name) => (
                  <td key={name} class="number">
                    <Value estimate={run.on[split]?.metrics[name]} best={best.get(name)} />
                  </td>
                ))}
                <td class="number">{run.seconds === null ? "–" : duration(run.seconds)}</td>
                <td class="number">{run.modelBytes === null ? "–" : size(run.modelBytes)}</td>
                {options.map((name) => (
                  <td key={name} class="number">
                    {run.options[name] ?? ""}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

/** The best mean of a metric; none where the runs have different datasets, or there is only one. */
function bestOf(
  rows: readonly Run[],
  split: SplitName,
  metric: string,
  isLower: boolean,
): number | undefined {
  if (rows.length < 2 || new Set(rows.map((run) => run.dataset.fingerprint)).size > 1) return undefined;
  const means = rows.flatMap((run) => run.on[split]?.metrics[metric]?.mean ?? []);
  return isLower ? Math.min(...means) : Math.max(...means);
}

function Value({ estimate, best }: { estimate: Estimate | undefined; best: number | undefined }) {
  if (estimate === undefined) return <>–</>;
  const { mean, standardError } = estimate;
  return (
    <>
      {mean === best ? <strong>{mean.toFixed(4)}</strong> : mean.toFixed(4)}
      {standardError !== undefined && <span class="error"> ± {standardError.toFixed(4)}</span>}
    </>
  );
}
