// One dataset: counts, distributions, the long tail, attributes, and searches through items and users.

import { useCallback } from "preact/hooks";
import { barsSpec, inWords, labelOf, PLOTS_NOTE, plotsOf } from "../../../src/experiments/data-plot-specs.js";
import type { DatasetSummary } from "../../../src/studio/api.js";
import type { DatasetAnswer } from "../../../src/studio/dataset-api.js";
import { Chart } from "../charts/chart.js";
import { Fact } from "../fact.js";
import { count } from "../texts.js";
import type { Address } from "../use-address.js";
import { useAsked } from "../use-asked.js";
import { Items } from "./items.js";
import { LongTail } from "./long-tail.js";
import { densityText, partsOf } from "./page.js";
import { Users } from "./users.js";

const HEIGHT = 190;

export function DatasetPage({
  datasets,
  address,
}: {
  datasets: readonly DatasetSummary[];
  address: Address;
}) {
  const id = address.parameters.get("id") ?? "";
  const summary = datasets.find((one) => one.id === id);
  const query = new URLSearchParams({ dataset: id });
  const { answer, problem } = useAsked<DatasetAnswer>(summary && `/api/dataset?${query}`);
  if (!summary)
    return (
      <>
        <h1>There is no dataset {id} in this folder</h1>
        <p>
          <a href="#/datasets">All datasets</a>
        </p>
      </>
    );
  return (
    <>
      <p class="back">
        <a href="#/datasets">All datasets</a>
      </p>
      <h1>{summary.id === "." ? summary.name : summary.id}</h1>
      <dl class="facts">
        <Fact name="Name">{summary.name}</Fact>
        <Fact name="Protocol">{summary.protocol}</Fact>
        <Fact name="Training users">{count(summary.users)}</Fact>
        <Fact name="Items">{count(summary.items)}</Fact>
        <Fact name="Training interactions">{count(summary.interactions)}</Fact>
        <Fact name="Density">{densityText(summary)}</Fact>
        <Fact name="Validation users">{count(summary.validationUsers)}</Fact>
        <Fact name="Test users">{count(summary.testUsers)}</Fact>
        {partsOf(summary).length > 0 && <Fact name="Has">{partsOf(summary).join(", ")}</Fact>}
        {answer && (
          <>
            <Fact name="Interactions per user">{lengthsText(answer.historyLengths)}</Fact>
            <Fact name="Interactions per item">{lengthsText(answer.itemCounts)}</Fact>
          </>
        )}
      </dl>
      {problem !== undefined ? (
        <p class="warning" role="alert">
          {problem}
        </p>
      ) : answer ? (
        <>
          <Distributions answer={answer} />
          <LongTail longTail={answer.longTail} popularity={answer.popularity} />
          <Attributes answer={answer} />
          <Items
            dataset={id}
            attributes={(answer.attributes ?? []).map(({ name }) => name)}
            address={address}
          />
          <Users
            dataset={id}
            address={address}
            sizes={{ train: answer.users, validation: answer.validation.users, test: answer.test.users }}
          />
        </>
      ) : (
        <p class="note" role="status">
          Loading the dataset …
        </p>
      )}
    </>
  );
}

const shortened = (text: string) => (text.length > 40 ? `${text.slice(0, 39)}…` : text);

const lengthsText = ({ min, median, mean, max }: DatasetAnswer["itemCounts"]) =>
  `${count(min)} to ${count(max)}, median ${count(median)}, mean ${count(Math.round(10 * mean) / 10)}`;

function Distributions({ answer }: { answer: DatasetAnswer }) {
  const plots = plotsOf(answer);
  if (plots.length === 0) return null;
  return (
    <section>
      <h2>Distributions</h2>
      <div class="figures">
        {plots.map(({ title, bins }) => (
          <Bars key={title} {...{ title, bins }} />
        ))}
      </div>
      <p class="note">{PLOTS_NOTE}</p>
    </section>
  );
}

function Bars({ title, bins }: ReturnType<typeof plotsOf>[number]) {
  const spec = useCallback(
    (width: number) => ({
      ...barsSpec(bins, width, HEIGHT),
      autosize: { type: "fit", contains: "padding" } as const,
    }),
    [bins],
  );
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <Chart spec={spec} label={`${title}. ${inWords(bins)}`} height={HEIGHT} />
      <details>
        <summary>Values as a table</summary>
        <table class="compact">
          <thead>
            <tr>
              <th scope="col">Bin</th>
              <th scope="col" class="number">
                Number
              </th>
            </tr>
          </thead>
          <tbody>
            {bins.map((bin) => (
              <tr key={bin.from}>
                <th scope="row">{labelOf(bin)}</th>
                <td class="number">{count(bin.count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

function Attributes({ answer: { attributes = [], items } }: { answer: DatasetAnswer }) {
  if (attributes.length === 0) return null;
  return (
    <section>
      <h2>Attributes of the items</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard. */}
      <section class="wide fitting" aria-label="Table of attributes" tabIndex={0}>
        <table class="data">
          <thead>
            <tr>
              <th scope="col">Attribute</th>
              <th scope="col">Type</th>
              <th scope="col" class="number">
                Items with a value
              </th>
              <th scope="col" class="number">
                Values
              </th>
              <th scope="col">Most frequent, or range</th>
            </tr>
          </thead>
          <tbody>
            {attributes.map(({ name, type, missing, values, frequent, from, to }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{type}</td>
                <td class="number">{count(items - missing)}</td>
                <td class="number">{values === undefined ? "–" : count(values)}</td>
                <td class="text">
                  {frequent
                    ? frequent.map((one) => `${shortened(one.value)} (${count(one.items)})`).join(", ")
                    : from === undefined
                      ? "–"
                      : `${from} to ${to}`}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </section>
  );
}
