// Two or more runs next to each other: the options that differ, the metrics, and tests of significance, which the server computes
// when it is asked to.

import { useState } from "preact/hooks";
import type { ComparisonAnswer, DatasetSummary, Run, SplitName } from "../../../src/studio/api.js";
import { tell } from "../ask.js";
import { differingOptions } from "../runs/columns.js";
import { metricLabel, plural } from "../texts.js";
import { addressOfRun } from "../use-address.js";
import { usePolled } from "../use-polled.js";
import { Pairs } from "./pairs.js";

const whileRunning = (answer: ComparisonAnswer | undefined) =>
  answer === undefined || answer.state === "waiting" || answer.state === "running" ? 1 : 3600;

interface Props {
  readonly runs: readonly Run[];
  readonly datasets: readonly DatasetSummary[];
  readonly ids: readonly string[];
}

export function ComparePage({ runs, datasets, ids }: Props) {
  const chosen = ids.flatMap((id) => runs.filter((run) => run.id === id));
  if (chosen.length < 2)
    return (
      <>
        <h1>Comparison</h1>
        <p class="note">
          Select at least two runs in the <a href="#/runs">table of runs</a>.
        </p>
      </>
    );
  const isSame = new Set(chosen.map((run) => run.dataset.fingerprint)).size === 1;
  const unfinished = chosen.filter((run) => run.state !== "finished" || run.modelBytes === null);
  return (
    <>
      <p class="back">
        <a href={`#/runs?${new URLSearchParams({ selected: ids.join("|") })}`}>All runs</a>
      </p>
      <h1>Comparison of {plural(chosen.length, "run")}</h1>
      <Differences runs={chosen} />
      <section>
        <h2>Significance</h2>
        {!isSame ? (
          <p class="note">
            The runs were trained on different data, so that their metrics cannot be compared.
          </p>
        ) : unfinished.length > 0 ? (
          <p class="note">Without a model: {unfinished.map(({ id }) => id).join(", ")}.</p>
        ) : (
          <Significance
            key={ids.join("|")}
            ids={chosen.map(({ id }) => id)}
            datasets={datasets}
            trainedOn={chosen[0].dataset}
          />
        )}
      </section>
    </>
  );
}

/** Facts and options, a row each; only what differs. */
function Differences({ runs }: { runs: readonly Run[] }) {
  const rows: [string, string[]][] = [
    ["model", runs.map(({ model }) => model)],
    ["dataset", runs.map(({ dataset }) => dataset.name)],
    ["seed", runs.map(({ seed }) => String(seed))],
    ["precision", runs.map(({ precision }) => precision)],
    // Options that only one of the models has say nothing.
    ...differingOptions(runs).map((name): [string, string[]] => [
      name,
      runs.map(({ options }) => options[name] ?? "–"),
    ]),
  ];
  const differing = rows.filter(([, values]) => new Set(values).size > 1);
  return (
    <section>
      <h2>What differs</h2>
      {differing.length === 0 && <p class="note">Model, dataset, seed and options are the same.</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard. */}
      <section class="wide fitting" aria-label="What differs" tabIndex={0}>
        <table class="data">
          <thead>
            <tr>
              <th scope="col">Option</th>
              {runs.map(({ id }) => (
                <th scope="col" key={id}>
                  <a href={addressOfRun(id)}>{id}</a>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {differing.map(([name, values]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {values.map((value, place) => (
                  <td key={runs[place].id}>{value}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </section>
  );
}

interface SignificanceProps {
  readonly ids: readonly string[];
  readonly datasets: readonly DatasetSummary[];
  readonly trainedOn: Run["dataset"];
}

function Significance({ ids, datasets, trainedOn }: SignificanceProps) {
  // A dataset of this folder where it is one: its path may have changed since the training.
  const [dataset, setDataset] = useState(trainedOn.id ?? "");
  const [on, setOn] = useState<SplitName>("test");
  const [job, setJob] = useState<string>();
  const [refusal, setRefusal] = useState<string>();
  const { answer, problem } = usePolled<ComparisonAnswer>(job && `/api/comparisons/${job}`, whileRunning);
  const shown = job === undefined || answer?.id !== job ? undefined : answer;
  const isBusy = job !== undefined && whileRunning(shown) === 1;
  const start = () => {
    setRefusal(undefined);
    tell<ComparisonAnswer>("POST", "/api/comparisons", { runs: ids, on, ...(dataset !== "" && { dataset }) })
      .then(({ id }) => setJob(id))
      .catch(({ message }: Error) => setRefusal(message));
  };
  const stop = () => {
    void tell("DELETE", `/api/comparisons/${job}`).catch(() => {});
    setJob(undefined);
  };
  return (
    <>
      <div class="toolbar">
        <label>
          On
          <select
            value={on}
            disabled={isBusy}
            onChange={({ currentTarget }) => {
              setOn(currentTarget.value as SplitName);
              setJob(undefined);
            }}
          >
            <option value="test">test users</option>
            <option value="validation">validation users</option>
          </select>
        </label>
        <label>
          Of the dataset
          <select
            value={dataset}
            disabled={isBusy}
            onChange={({ currentTarget }) => {
              setDataset(currentTarget.value);
              setJob(undefined);
            }}
          >
            {trainedOn.id === undefined && (
              <option value="">{trainedOn.path ?? `${trainedOn.name} (not on disk)`}</option>
            )}
            {datasets.map(({ id }) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
          </select>
        </label>
        {isBusy ? (
          <button type="button" onClick={stop}>
            Stop
          </button>
        ) : (
          <button type="button" onClick={start}>
            Evaluate and test
          </button>
        )}
      </div>
      <p class="status" role="status">
        {isBusy &&
          (shown?.progress ??
            (shown?.state === "waiting" ? "Another comparison is running …" : "Starting …"))}
      </p>
      {(refusal ?? problem ?? shown?.problem) !== undefined && (
        <p class="warning" role="alert">
          {refusal ?? problem ?? shown?.problem}
        </p>
      )}
      {shown?.comparison && (
        <>
          <p class="note">{shown.comparison.method}.</p>
          {shown.comparison.metrics.map((metric) => (
            <section key={metric}>
              <h3>{metricLabel(metric)}</h3>
              <Pairs
                comparison={shown.comparison as NonNullable<ComparisonAnswer["comparison"]>}
                metric={metric}
              />
            </section>
          ))}
        </>
      )}
    </>
  );
}
