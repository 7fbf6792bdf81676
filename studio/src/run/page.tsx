// One run: metrics, curves and options.

import type { Run, SplitName } from "../../../src/studio/api.js";
import { Curves } from "../charts/curves.js";
import { Fact } from "../fact.js";
import { metricsOf } from "../runs/columns.js";
import { State } from "../runs/state.js";
import { count, duration, metricLabel, moment, size } from "../texts.js";

const splits: readonly SplitName[] = ["test", "validation"];

export function RunPage({ runs, id }: { runs: readonly Run[]; id: string }) {
  const run = runs.find((one) => one.id === id);
  if (!run)
    return (
      <>
        <h1>There is no run {id} in this folder</h1>
        <p>
          <a href="#/runs">All runs</a>
        </p>
      </>
    );
  return (
    <>
      <p class="back">
        <a href="#/runs">All runs</a>
      </p>
      <h1>{run.id}</h1>
      <dl class="facts">
        <Fact name="Model">{run.model}</Fact>
        <Fact name="Dataset">{run.dataset.name}</Fact>
        <Fact name="State">
          <State run={run} />
        </Fact>
        <Fact name="Training">
          {run.seconds === null ? "–" : duration(run.seconds)}
          {run.epochs > 0 && `, ${count(run.epochs)} epochs`}
        </Fact>
        <Fact name="Engine">
          {run.engine}, {run.precision}, {run.threads} threads, seed {run.seed}
        </Fact>
        {run.modelBytes !== null && <Fact name="Size">{size(run.modelBytes)}</Fact>}
        <Fact name="Changed">{moment(run.changed)}</Fact>
        {run.report && (
          <Fact name="Report">
            <a href={`/report?${new URLSearchParams({ run: run.id })}`} target="_blank" rel="noreferrer">
              report.html (new tab)
            </a>
          </Fact>
        )}
      </dl>
      <Metrics run={run} />
      {run.epochs > 0 && (
        <section>
          <h2>Curves</h2>
          <Curves ids={[run.id]} live={run.state === "training"} />
        </section>
      )}
      <section>
        <h2>Options</h2>
        <table class="compact">
          <thead>
            <tr>
              <th scope="col">Option</th>
              <th scope="col">Value</th>
            </tr>
          </thead>
          <tbody>
            {Object.entries(run.options).map(([name, value]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

function Metrics({ run }: { run: Run }) {
  const shown = splits.filter((split) => run.on[split] !== undefined);
  const names = [...new Set(shown.flatMap((split) => metricsOf([run], split)))];
  if (names.length === 0) return null;
  return (
    <section>
      <h2>Metrics</h2>
      <table class="compact">
        <thead>
          <tr>
            <th scope="col">Metric</th>
            {shown.map((split) => (
              <th scope="col" class="number" key={split}>
                {split}
                {run.on[split]?.users !== undefined && ` (${count(run.on[split].users)} users)`}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {names.map((name) => (
            <tr key={name}>
              <th scope="row">{metricLabel(name)}</th>
              {shown.map((split) => {
                const estimate = run.on[split]?.metrics[name];
                return (
                  <td class="number" key={split}>
                    {estimate === undefined ? "–" : estimate.mean.toFixed(4)}
                    {estimate?.standardError !== undefined && (
                      <span class="error"> ± {estimate.standardError.toFixed(4)}</span>
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <p class="note">Mean over users ± standard error.</p>
    </section>
  );
}
