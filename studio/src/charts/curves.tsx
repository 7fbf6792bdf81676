// The curves of some runs: one quantity by epoch or by time. Runs in training are followed.

import { useCallback, useState } from "preact/hooks";
import type { Curve, CurvesAnswer } from "../../../src/studio/api.js";
import { duration } from "../texts.js";
import { usePolled } from "../use-polled.js";
import { Chart } from "./chart.js";
import { classOf, colourOf } from "./colours.js";
import type { ChartSpec } from "./draw.js";

interface Props {
  readonly ids: readonly string[];
  /** Whether one of the runs is in training. */
  readonly live: boolean;
}

const whileLive = () => 2;
const otherwise = () => 30;
const PREFERRED = ["validation ndcg@100", "loss"];
const HEIGHT = 280;

export function Curves({ ids, live }: Props) {
  const query = new URLSearchParams(ids.map((id) => ["run", id])).toString();
  const path = ids.length === 0 ? undefined : `/api/curves?${query}`;
  const { answer, problem } = usePolled<CurvesAnswer>(path, live ? whileLive : otherwise);
  const [chosen, setChosen] = useState<string>();
  const [axis, setAxis] = useState<"epoch" | "seconds">("epoch");
  const curves = (answer?.curves ?? []).filter(({ id }) => ids.includes(id));
  const quantities = quantitiesOf(curves);
  const quantity = chosen !== undefined && quantities.includes(chosen) ? chosen : quantities[0];
  // Names all that the chart shows: an equal drawing is kept.
  const key = JSON.stringify([ids, quantity, axis, answer?.curves.map(({ epochs }) => epochs.length)]);
  const spec = useCallback((width: number) => specOf(curves, ids, quantity ?? "", axis, width), [key]);
  if (problem !== undefined) return <p class="warning">{problem}</p>;
  if (!answer) return <p class="note">Reading the curves …</p>;
  if (quantity === undefined)
    return <p class="note">These runs have no epochs: their models have a closed form.</p>;
  return (
    <>
      <div class="toolbar">
        <label>
          Quantity
          <select value={quantity} onChange={({ currentTarget }) => setChosen(currentTarget.value)}>
            {quantities.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Along
          <select
            value={axis}
            onChange={({ currentTarget }) => setAxis(currentTarget.value as "epoch" | "seconds")}
          >
            <option value="epoch">epochs</option>
            <option value="seconds">training time</option>
          </select>
        </label>
      </div>
      <ul class="legend" aria-label="Runs in the chart">
        {ids.map((id, place) => (
          <li key={id}>
            <span class={`swatch ${classOf(place)}`} aria-hidden="true" />
            {id}
          </li>
        ))}
      </ul>
      <Chart spec={spec} label={`${quantity} by ${axis} of ${ids.join(", ")}`} />
      <details>
        <summary>Values as a table</summary>
        <Values curves={curves} quantity={quantity} />
      </details>
    </>
  );
}

/** All quantities of the curves, the usual ones first. */
function quantitiesOf(curves: readonly Curve[]): string[] {
  const names = new Set(curves.flatMap(({ epochs }) => Object.keys(epochs.at(-1)?.values ?? {})));
  return [
    ...PREFERRED.filter((name) => names.has(name)),
    ...[...names].filter((name) => !PREFERRED.includes(name)),
  ];
}

function Values({ curves, quantity }: { curves: readonly Curve[]; quantity: string }) {
  return (
    <table class="compact">
      <thead>
        <tr>
          <th scope="col">Run</th>
          <th scope="col">Last epoch</th>
          <th scope="col">{quantity}</th>
          <th scope="col">Kept epoch</th>
          <th scope="col">{quantity}</th>
          <th scope="col">Time</th>
        </tr>
      </thead>
      <tbody>
        {curves.map(({ id, epochs, chosen }) => {
          const last = epochs.at(-1);
          const kept = epochs.find(({ epoch }) => epoch === chosen);
          return (
            <tr key={id}>
              <th scope="row">{id}</th>
              <td>{last?.epoch ?? "–"}</td>
              <td>{valueText(last?.values[quantity])}</td>
              <td>{kept?.epoch ?? "–"}</td>
              <td>{valueText(kept?.values[quantity])}</td>
              <td>{last ? duration(last.seconds) : "–"}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

const valueText = (value: number | null | undefined) =>
  value === null || value === undefined ? "–" : String(Number(value.toPrecision(5)));

function specOf(
  curves: readonly Curve[],
  ids: readonly string[],
  quantity: string,
  axis: "epoch" | "seconds",
  width: number,
): ChartSpec {
  const values = curves.flatMap(({ id, epochs, chosen }) =>
    epochs
      .filter(({ values }) => typeof values[quantity] === "number")
      .map((epoch) => ({
        run: id,
        along: epoch[axis],
        value: epoch.values[quantity],
        kept: epoch.epoch === chosen,
        text: `${id}, epoch ${epoch.epoch}: ${valueText(epoch.values[quantity])}`,
      })),
  );
  const encoding = {
    x: {
      field: "along",
      type: "quantitative",
      scale: { zero: false, nice: false },
      axis: {
        title: axis === "epoch" ? "epoch" : "seconds",
        grid: false,
        tickCount: Math.ceil(width / 90),
        ...(axis === "epoch" && { tickMinStep: 1, format: "d" }),
      },
    },
    y: {
      field: "value",
      type: "quantitative",
      scale: { zero: false, nice: true },
      axis: { title: null, tickCount: 5, format: ".4~r", minExtent: 44 },
    },
    color: {
      field: "run",
      type: "nominal",
      scale: { domain: [...ids], range: ids.map((_, place) => colourOf(place)) },
      legend: null,
    },
  } as const;
  return {
    width,
    height: HEIGHT,
    autosize: { type: "fit", contains: "padding" },
    data: { values },
    encoding,
    layer: [
      { mark: { type: "line", strokeWidth: 2, strokeJoin: "round", clip: true } },
      {
        mark: { type: "point", filled: true, size: 30, opacity: 1 },
        encoding: {
          tooltip: { field: "text" },
          size: { condition: { test: "datum.kept", value: 90 }, value: values.length > 400 ? 4 : 22 },
        },
      },
    ],
  };
}
