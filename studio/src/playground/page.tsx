// The playground: recommendations of several models for one history, next to each other, under rules. All of it is in the address.

import { useCallback, useEffect, useState } from "preact/hooks";
import type { Run } from "../../../src/studio/api.js";
import type { DescriptionAnswer, RecommendAnswer } from "../../../src/studio/models-messages.js";
import { tell } from "../ask.js";
import { plural } from "../texts.js";
import type { Address } from "../use-address.js";
import { useAnswer, useAsked } from "../use-asked.js";
import { Column } from "./column.js";
import { ItemPicker } from "./item-picker.js";
import { remember, useNames } from "./names.js";
import "./playground.css";
import { Rules } from "./rules.js";
import {
  addressOf,
  hasRules,
  MOST_RUNS,
  positionIn,
  requestOf,
  type Settings,
  settingsOf,
} from "./settings.js";

/** Milliseconds after the last change. */
const PAUSE = 200;

export function PlaygroundPage({ runs, address }: { runs: readonly Run[]; address: Address }) {
  const usable = runs.filter(({ modelBytes }) => modelBytes !== null);
  const given = settingsOf(address.parameters);
  const settings = given.runs.length > 0 ? given : { ...given, runs: firstRuns(usable) };
  const { set } = address;
  const change = useCallback((changes: Partial<Settings>) => set(addressOf(changes)), [set]);
  const [first] = settings.runs;
  const [results, setResults] = useState<ReadonlyMap<string, ReadonlyMap<string, number>>>(new Map());
  const { answer: description } = useAsked<DescriptionAnswer>(
    first && `/api/model?${new URLSearchParams({ run: first })}`,
  );
  // On a narrow screen, the answers are below the rules.
  const [isOpen, setOpen] = useState(() => hasRules(settings) || matchMedia("(min-width: 55rem)").matches);
  const [problems, setProblems] = useState<ReadonlyMap<string, string | undefined>>(new Map());
  const nameOf = useNames(first, [
    ...settings.history,
    ...settings.exclude,
    ...settings.candidates,
    ...(settings.similar === undefined ? [] : [settings.similar]),
  ]);
  const onRanks = useCallback(
    (id: string, ranks: ReadonlyMap<string, number>) =>
      setResults((before) => new Map([...before, [id, ranks]])),
    [],
  );
  const onProblem = useCallback(
    (id: string, problem: string | undefined) =>
      setProblems((before) => (before.get(id) === problem ? before : new Map([...before, [id, problem]]))),
    [],
  );
  if (usable.length === 0)
    return (
      <>
        <h1>Playground</h1>
        <p class="note">
          There is no run with a model in this folder. <code>foldin train</code> creates one.
        </p>
      </>
    );
  const mistakes = settings.runs.map((id) => positionIn(problems.get(id) ?? "", "filter"));
  return (
    <>
      <h1>Playground</h1>
      <div class="playground">
        <form class="questions" aria-label="What to ask" onSubmit={(event) => event.preventDefault()}>
          <Chosen settings={settings} usable={usable} change={change} />
          <ItemPicker
            label="History"
            empty="Without a history: what a new user sees."
            run={first}
            ids={settings.history}
            nameOf={nameOf}
            onChange={(history) => change({ history, similar: undefined })}
          />
          <div class="line">
            <label class="line">
              Items
              <input
                type="number"
                min={1}
                max={100}
                value={settings.k}
                onInput={({ currentTarget }) => change({ k: Number(currentTarget.value) || 10 })}
              />
            </label>
            <label class="line">
              <input
                type="checkbox"
                checked={settings.explain}
                onChange={({ currentTarget }) => change({ explain: currentTarget.checked })}
              />
              Explain
            </label>
            <label class="line">
              <input
                type="checkbox"
                checked={settings.includeHistory}
                onChange={({ currentTarget }) => change({ includeHistory: currentTarget.checked })}
              />
              Also items of the history
            </label>
          </div>
          <details open={isOpen} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
            <summary>
              <h2>Rules</h2>
            </summary>
            <Rules
              settings={settings}
              change={change}
              description={description}
              run={first}
              nameOf={nameOf}
              mistake={mistakes.find((position) => position !== undefined)}
            />
          </details>
        </form>
        <div class="answers">
          {settings.similar !== undefined && (
            <p class="similar">
              Items similar to <strong>{nameOf(settings.similar)}</strong>{" "}
              <button type="button" onClick={() => change({ similar: undefined })}>
                Back to the history
              </button>
            </p>
          )}
          <div class="columns">
            {settings.runs.map((id) => (
              <Asked
                key={id}
                id={id}
                run={runs.find((run) => run.id === id)}
                settings={settings}
                change={change}
                others={settings.runs
                  .filter((other) => other !== id)
                  .map((other) => ({ id: other, ranks: results.get(other) ?? new Map() }))}
                onRanks={onRanks}
                onProblem={onProblem}
              />
            ))}
          </div>
        </div>
      </div>
    </>
  );
}

interface AskedProps {
  readonly id: string;
  readonly run: Run | undefined;
  readonly settings: Settings;
  readonly change: (changes: Partial<Settings>) => void;
  readonly others: readonly { readonly id: string; readonly ranks: ReadonlyMap<string, number> }[];
  readonly onRanks: (id: string, ranks: ReadonlyMap<string, number>) => void;
  readonly onProblem: (id: string, problem: string | undefined) => void;
}

function Asked({ id, run, settings, change, others, onRanks, onProblem }: AskedProps) {
  const request = requestOf(settings, id);
  const result = useAnswer<RecommendAnswer>(
    JSON.stringify([request, run?.changed]),
    (signal) => tell("POST", "/api/recommendations", request, signal),
    PAUSE,
  );
  const { problem } = result;
  useEffect(() => onProblem(id, problem), [id, problem, onProblem]);
  const onAnswer = useCallback(
    (answer: RecommendAnswer) => {
      remember(id, [...answer.history, ...answer.items]);
      onRanks(id, new Map(answer.items.map((item) => [item.id, item.rank])));
    },
    [id, onRanks],
  );
  const { history, exclude } = settings;
  const added = (list: readonly string[], item: string) => (list.includes(item) ? list : [...list, item]);
  return (
    <Column
      id={id}
      run={run}
      result={result}
      others={others}
      onAnswer={onAnswer}
      onLike={(item) => change({ history: added(history, item), similar: undefined })}
      onExclude={(item) => change({ exclude: added(exclude, item) })}
      onSimilar={(item) => change({ similar: item })}
    />
  );
}

interface ChosenProps {
  readonly settings: Settings;
  readonly usable: readonly Run[];
  readonly change: (changes: Partial<Settings>) => void;
}

/** The chosen models, and a list to add others. */
function Chosen({ settings, usable, change }: ChosenProps) {
  const { runs } = settings;
  const others = usable.filter(({ id }) => !runs.includes(id));
  return (
    <div class="picker">
      <label class="field">
        Models
        <select
          value=""
          disabled={runs.length >= MOST_RUNS || others.length === 0}
          onChange={({ currentTarget }) => {
            const id = currentTarget.value;
            currentTarget.value = "";
            if (id !== "") change({ runs: [...runs, id] });
          }}
        >
          <option value="">
            {runs.length >= MOST_RUNS ? `At most ${plural(MOST_RUNS, "model")}` : "Add a model …"}
          </option>
          {others.map(({ id, model }) => (
            <option key={id} value={id}>
              {id === model ? id : `${id} (${model})`}
            </option>
          ))}
        </select>
      </label>
      <ul class="chips" aria-label="Models: chosen">
        {runs.map((id) => (
          <li key={id}>
            <span>{id}</span>
            {runs.length > 1 && (
              <button
                type="button"
                aria-label={`Remove ${id}`}
                onClick={() => change({ runs: runs.filter((other) => other !== id) })}
              >
                ×
              </button>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The two latest runs of one dataset, of different models if there are some. */
function firstRuns(usable: readonly Run[]): string[] {
  const [first, ...others] = [...usable].sort((a, b) => b.changed - a.changed);
  if (!first) return [];
  const same = others.filter(({ dataset }) => dataset.fingerprint === first.dataset.fingerprint);
  const second = same.find(({ model }) => model !== first.model) ?? same[0];
  return second ? [first.id, second.id] : [first.id];
}
