// All runs: filter, table, curves and trade-off. The state of the view is in the address.

import { useMemo } from "preact/hooks";
import type { Run, SplitName } from "../../../src/studio/api.js";
import { Curves } from "../charts/curves.js";
import { TradeOff } from "../charts/trade-off.js";
import { metricLabel, plural } from "../texts.js";
import { type Address, addressOfComparison } from "../use-address.js";
import { datasetNames, differingOptions, metricsOf, type Order, sorted } from "./columns.js";
import { matches, parseFilter, unknownFields } from "./filter.js";
import { RunsTable } from "./table.js";

/** The most curves in one chart: more cannot be told apart. */
const MOST_SELECTED = 8;
const SHOWN_METRICS = 3;
const SHOWN_OPTIONS = 6;
/** Fields whose usual order is from large to small. */
const ascendingFirst = new Set(["run", "model", "dataset", "state", "seconds", "size", "seed"]);

interface Props {
  readonly runs: readonly Run[];
  /** Metrics of which a lower value is better. */
  readonly lowerIsBetter: readonly string[];
  readonly address: Address;
}

export function RunsPage({ runs, lowerIsBetter, address }: Props) {
  const { parameters, set } = address;
  const text = parameters.get("filter") ?? "";
  const dataset = parameters.get("dataset") ?? "";
  const split: SplitName =
    parameters.get("on") === "validation" || !runs.some((run) => run.on.test) ? "validation" : "test";
  const datasets = useMemo(() => datasetNames(runs), [runs]);
  const conditions = useMemo(() => parseFilter(text), [text]);
  const shown = useMemo(
    () =>
      runs.filter(
        (run) => (dataset === "" || run.dataset.fingerprint === dataset) && matches(run, conditions, split),
      ),
    [runs, dataset, conditions, split],
  );
  const metrics = useMemo(() => metricsOf(runs, split), [runs, split]);
  const chosenMetrics = listOf(parameters.get("metrics"))?.filter((name) => metrics.includes(name));
  const shownMetrics = chosenMetrics ?? metrics.slice(0, SHOWN_METRICS);
  const options = useMemo(() => differingOptions(shown), [shown]);
  const chosenOptions = listOf(parameters.get("options"));
  const shownOptions =
    chosenOptions?.filter((name) => options.includes(name)) ?? options.slice(0, SHOWN_OPTIONS);
  const mainMetric = shownMetrics[0] ?? metrics[0];
  const order = orderOf(parameters.get("sort"), mainMetric, lowerIsBetter);
  const rows = useMemo(() => sorted(shown, order, split), [shown, order.field, order.descending, split]);
  const selected =
    listOf(parameters.get("selected"))?.filter((id) => runs.some((run) => run.id === id)) ?? [];
  const inTraining = rows.filter(({ state }) => state === "training").map(({ id }) => id);
  const drawn = (selected.length > 0 ? selected : inTraining).slice(0, MOST_SELECTED);
  const unknown = unknownFields(runs, conditions, split);

  if (runs.length === 0)
    return (
      <>
        <h1>Runs</h1>
        <p class="note">
          There is no run in this folder. <code>foldin train</code> writes one; it appears here when its first
          epoch begins.
        </p>
      </>
    );
  const toggle = (list: readonly string[], name: string) =>
    list.includes(name) ? list.filter((one) => one !== name) : [...list, name];
  return (
    <>
      <h1>Runs</h1>
      <form class="toolbar" onSubmit={(event) => event.preventDefault()}>
        <label class="grow">
          Filter
          <input
            type="search"
            value={text}
            placeholder="model=mult-vae ndcg@100>0.4"
            aria-describedby="filter-hint"
            onInput={({ currentTarget }) => set({ filter: currentTarget.value })}
          />
        </label>
        {datasets.size > 1 && (
          <label>
            Dataset
            <select value={dataset} onChange={({ currentTarget }) => set({ dataset: currentTarget.value })}>
              <option value="">all</option>
              {[...datasets].map(([fingerprint, name]) => (
                <option key={fingerprint} value={fingerprint}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
        <label>
          Metrics on
          <select value={split} onChange={({ currentTarget }) => set({ on: currentTarget.value })}>
            <option value="test">test users</option>
            <option value="validation">validation users</option>
          </select>
        </label>
        <Choice
          title="Metrics"
          names={metrics}
          chosen={shownMetrics}
          label={metricLabel}
          onToggle={(name) => set({ metrics: listText(toggle(shownMetrics, name)) })}
        />
        <Choice
          title="Options"
          names={options}
          chosen={shownOptions}
          label={(name) => name}
          empty="All shown runs of a model have the same options."
          onToggle={(name) => set({ options: listText(toggle(shownOptions, name)) })}
        />
      </form>
      <p class="note" id="filter-hint">
        Words are parts of a path, model or dataset; conditions are <code>field=value</code>,{" "}
        <code>&gt;</code>, <code>&lt;</code>, <code>!=</code> on options, metrics, model, state, seed,
        seconds, epochs.
      </p>
      {unknown.length > 0 && <p class="warning">No run has the field {unknown.join(", ")}.</p>}
      <p class="status" role="status">
        {rows.length === runs.length
          ? plural(runs.length, "run")
          : `${rows.length} of ${plural(runs.length, "run")}`}
        {`, sorted by ${metrics.includes(order.field) ? metricLabel(order.field) : order.field}, ${order.descending ? "largest first" : "smallest first"}`}
      </p>
      <RunsTable
        {...{ rows, split, order, drawn, selected, lowerIsBetter }}
        metrics={shownMetrics}
        options={shownOptions}
        datasets={datasets}
        full={selected.length >= MOST_SELECTED}
        onSort={(field) => {
          const descending =
            order.field === field
              ? !order.descending
              : !ascendingFirst.has(field) && !lowerIsBetter.includes(field);
          set({ sort: `${descending ? "-" : ""}${field}` });
        }}
        onSelect={(id) => set({ selected: toggle(selected, id).join("|") })}
      />
      {selected.length > 0 && (
        <p class="actions">
          {selected.length > 1 && (
            <a href={addressOfComparison(selected)}>Compare {plural(selected.length, "run")}</a>
          )}
          <button type="button" onClick={() => set({ selected: undefined })}>
            Clear the selection of {plural(selected.length, "run")}
          </button>
        </p>
      )}
      <section>
        <h2>Curves</h2>
        {drawn.length === 0 ? (
          <p class="note">Select runs in the table. Runs in training are shown without being selected.</p>
        ) : (
          <Curves ids={drawn} live={drawn.some((id) => inTraining.includes(id))} />
        )}
      </section>
      {mainMetric !== undefined && (
        <section>
          <h2>{metricLabel(mainMetric)} against cost</h2>
          {dataset === "" && datasets.size > 1 ? (
            <p class="note">
              The runs have different datasets, so that their metrics cannot be compared. Choose one dataset.
            </p>
          ) : (
            <TradeOff runs={rows} metric={mainMetric} split={split} />
          )}
        </section>
      )}
    </>
  );
}

interface ChoiceProps {
  readonly title: string;
  readonly names: readonly string[];
  readonly chosen: readonly string[];
  readonly label: (name: string) => string;
  readonly empty?: string;
  readonly onToggle: (name: string) => void;
}

/** Checkboxes that fold away. */
function Choice({ title, names, chosen, label, empty, onToggle }: ChoiceProps) {
  return (
    <details class="choice">
      <summary>
        {title} ({chosen.length} of {names.length})
      </summary>
      <fieldset>
        <legend class="hidden">{title} in the table</legend>
        {names.length === 0 && <p class="note">{empty}</p>}
        {names.map((name) => (
          <label key={name}>
            <input type="checkbox" checked={chosen.includes(name)} onChange={() => onToggle(name)} />
            {label(name)}
          </label>
        ))}
      </fieldset>
    </details>
  );
}

/** Names of a parameter, separated by bars; "-" for none; undefined where the parameter is absent. */
function listOf(parameter: string | null): string[] | undefined {
  if (parameter === null) return undefined;
  return parameter === "-" ? [] : parameter.split("|").filter((name) => name !== "");
}

const listText = (names: readonly string[]) => (names.length === 0 ? "-" : names.join("|"));

/** The order of the parameter; without one, the best runs come first. */
function orderOf(parameter: string | null, metric: string | undefined, lower: readonly string[]): Order {
  if (parameter === null)
    return { field: metric ?? "run", descending: metric !== undefined && !lower.includes(metric) };
  const descending = parameter.startsWith("-");
  return { field: descending ? parameter.slice(1) : parameter, descending };
}
