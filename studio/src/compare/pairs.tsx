// The differences of all pairs in one metric: the mean of the row minus the mean of the column.

import type { ComparisonAnswer } from "../../../src/studio/api.js";

/** Below this p-value, two runs are said to differ. */
const LEVEL = 0.05;

interface Props {
  readonly comparison: NonNullable<ComparisonAnswer["comparison"]>;
  readonly metric: string;
}

export function Pairs({ comparison: { systems, pairs }, metric }: Props) {
  const cell = (row: string, column: string) => {
    const pair = pairs.find(
      (one) => one.metric === metric && [one.a, one.b].includes(row) && [one.a, one.b].includes(column),
    );
    if (!pair || row === column) return <td key={column}>–</td>;
    const difference = pair.a === row ? pair.difference : -pair.difference;
    const differs = pair.p < LEVEL;
    return (
      <td key={column} class={differs ? "differs" : undefined}>
        {`${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(4)}`}
        <span class="error">
          {" "}
          ± {pair.standardError.toFixed(4)}, {pText(pair.p)}
          {differs ? "" : ", may be chance"}
        </span>
      </td>
    );
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
    <section class="wide fitting" aria-label={`Pairs in ${metric}`} tabIndex={0}>
      <table class="data pairs">
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col" class="number">
              Mean
            </th>
            {systems.map(({ id }) => (
              <th scope="col" key={id}>
                minus {id}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {systems.map(({ id, metrics }) => {
            const { mean, standardError } = metrics[metric];
            return (
              <tr key={id}>
                <th scope="row">{id}</th>
                <td class="number">
                  {mean.toFixed(4)}
                  {standardError !== undefined && <span class="error"> ± {standardError.toFixed(4)}</span>}
                </td>
                {systems.map((other) => cell(id, other.id))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

/** "p = 0.012", "p < 0.001" */
const pText = (p: number) => (p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`);
