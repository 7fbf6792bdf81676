// The long tail: how popular the items are, by their rank.

import { useCallback, useState } from "preact/hooks";
import type { DatasetAnswer } from "../../../src/studio/dataset-api.js";
import { Chart } from "../charts/chart.js";
import type { ChartSpec } from "../charts/draw.js";
import { count } from "../texts.js";

type Quantity = "users" | "share";
const HEIGHT = 240;
const percent = (share: number) => `${Number((100 * share).toPrecision(3))} %`;

export function LongTail({ longTail, popularity }: Pick<DatasetAnswer, "longTail" | "popularity">) {
  const [quantity, setQuantity] = useState<Quantity>("share");
  const { head, items } = longTail;
  const spec = useCallback((width: number) => specOf(longTail, quantity, width), [longTail, quantity]);
  if (items === 0 || longTail.points.length === 0) return null;
  return (
    <section>
      <h2>The long tail</h2>
      <p>
        The {count(head)} most popular items ({percent(head / items)} of the catalogue) have 80 % of the
        training interactions. The other {count(items - head)} are the long tail, to the right of the dashed
        line.
      </p>
      <div class="toolbar">
        <label>
          By rank
          <select
            value={quantity}
            onChange={({ currentTarget }) => setQuantity(currentTarget.value as Quantity)}
          >
            <option value="share">share of the interactions up to this item</option>
            <option value="users">training users of the item</option>
          </select>
        </label>
      </div>
      <Chart
        spec={spec}
        label={`${quantity === "share" ? "Share of the interactions" : "Training users"} by rank of the item`}
      />
      <details>
        <summary>Values as a table</summary>
        <table class="compact">
          <thead>
            <tr>
              <th scope="col">Most popular items</th>
              <th scope="col" class="number">
                Items
              </th>
              <th scope="col" class="number">
                Share of the interactions
              </th>
            </tr>
          </thead>
          <tbody>
            {popularity.map(({ itemShare, items, interactionShare }) => (
              <tr key={itemShare}>
                <th scope="row">{percent(itemShare)}</th>
                <td class="number">{count(items)}</td>
                <td class="number">{percent(interactionShare)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </section>
  );
}

function specOf({ points, head }: DatasetAnswer["longTail"], quantity: Quantity, width: number): ChartSpec {
  const isShare = quantity === "share";
  const values = points.map((point) => ({
    rank: point.rank,
    value: isShare ? point.share : Math.max(point.users, 0.5),
    text: `rank ${count(point.rank)}: ${count(point.users)} users; up to here ${percent(point.share)} of the interactions`,
  }));
  const x = {
    type: "quantitative",
    // Shares by equal steps in the catalogue; with two logarithms, a power law is a straight line.
    scale: isShare ? { zero: true, nice: false } : { type: "log" as const, nice: false },
    axis: {
      title: "items, the most popular first",
      grid: false,
      tickCount: 6,
      format: isShare ? ",d" : "~s",
    },
  } as const;
  const y = {
    field: "value",
    type: "quantitative",
    scale: isShare ? { domain: [0, 1] } : { type: "log" as const, nice: true },
    axis: {
      title: isShare ? "share of the interactions" : "training users",
      tickCount: 5,
      format: isShare ? ".0%" : "~s",
    },
  } as const;
  return {
    width,
    height: HEIGHT,
    autosize: { type: "fit", contains: "padding" },
    data: { values },
    layer: [
      {
        data: { values: [{ head }] },
        mark: { type: "rule", color: "var(--warn)", strokeDash: [4, 3] },
        encoding: { x: { ...x, field: "head" } },
      },
      {
        mark: { type: "line", color: "var(--accent)", strokeWidth: 2, clip: true },
        encoding: { x: { ...x, field: "rank" }, y },
      },
      {
        mark: { type: "point", filled: true, size: 60, opacity: 0, color: "var(--accent)" },
        encoding: { x: { ...x, field: "rank" }, y, tooltip: { field: "text" } },
      },
    ],
  };
}
