// A user of a dataset: the history, what a run recommends, and what was held out.

import { useEffect, useState } from "preact/hooks";
import type { DatasetSummary, Run } from "../../../src/studio/api.js";
import type { DatasetPart, HistoryItem, UserAnswer } from "../../../src/studio/dataset-api.js";
import { tell } from "../ask.js";
import { attributesOf, ItemCells, ItemHeadings } from "../datasets/item-cells.js";
import { addressOfDataset } from "../datasets/page.js";
import { addressOfUser } from "../datasets/users.js";
import { count, plural } from "../texts.js";
import type { Address } from "../use-address.js";
import { useAsked } from "../use-asked.js";
import { Recommendations, type Recommended } from "./recommendations.js";

const DEPTHS = [10, 20, 50, 100];
const partNames: Readonly<Record<string, string>> = {
  train: "training user",
  validation: "validation user",
  test: "test user",
};

interface Props {
  readonly datasets: readonly DatasetSummary[];
  readonly runs: readonly Run[];
  readonly address: Address;
}

export function UserPage({ datasets, runs, address: { parameters, set } }: Props) {
  const dataset = parameters.get("dataset") ?? "";
  const of = parameters.get("of") ?? "test";
  const user = parameters.get("user") ?? "";
  const k = DEPTHS.find((depth) => String(depth) === parameters.get("k")) ?? 20;
  const usable = runs.filter((run) => run.dataset.id === dataset && run.modelBytes !== null);
  const run = usable.find(({ id }) => id === parameters.get("run"))?.id ?? usable[0]?.id;
  const isKnown = datasets.some(({ id }) => id === dataset);
  const query = new URLSearchParams({ dataset, of, user });
  const { answer, problem, isBusy } = useAsked<UserAnswer>(
    isKnown ? `/api/dataset/user?${query}` : undefined,
  );
  const shown =
    answer && answer.id === user && answer.of === of && problem === undefined ? answer : undefined;
  const asked = useRecommended(run, shown, k);
  const go = (to: string) => set({ user: to });
  if (!isKnown)
    return (
      <>
        <h1>There is no dataset {dataset} in this folder</h1>
        <p>
          <a href="#/datasets">All datasets</a>
        </p>
      </>
    );
  return (
    <>
      <p class="back">
        <a href={addressOfDataset(dataset)}>{dataset}</a>
      </p>
      <h1>User {user}</h1>
      <UserSearch key={user} user={user} onSearch={go} />
      {problem !== undefined && (
        <p class="warning" role="alert">
          {problem}
        </p>
      )}
      {shown ? (
        <>
          <nav class="pager" aria-label="Users">
            <Neighbour label="Previous" {...{ dataset, of, run }} user={shown.previous} />
            <span role="status">
              {partNames[of]} {count(shown.place + 1)} of {count(shown.users)}
            </span>
            <Neighbour label="Next" {...{ dataset, of, run }} user={shown.next} />
          </nav>
          <section>
            <h2>Recommendations</h2>
            {run === undefined ? (
              <p class="note">No run of this folder with a model was trained on this dataset.</p>
            ) : (
              <>
                <div class="toolbar">
                  <label>
                    Run
                    <select value={run} onChange={({ currentTarget }) => set({ run: currentTarget.value })}>
                      {usable.map(({ id, model }) => (
                        <option key={id} value={id}>
                          {id} ({model})
                        </option>
                      ))}
                    </select>
                  </label>
                  <label>
                    Items
                    <select value={k} onChange={({ currentTarget }) => set({ k: currentTarget.value })}>
                      {DEPTHS.map((depth) => (
                        <option key={depth} value={depth}>
                          {depth}
                        </option>
                      ))}
                    </select>
                  </label>
                </div>
                <Recommendations
                  {...asked}
                  {...{ k, run }}
                  heldOut={shown.heldOut}
                  heldOutLength={shown.heldOutLength}
                />
              </>
            )}
          </section>
          {of !== "train" && (
            <ItemsTable
              title={`Held out: ${plural(shown.heldOutLength, "item")}`}
              note="Not shown to the model, which should recommend them."
              items={shown.heldOut}
              total={shown.heldOutLength}
              ranks={asked.items && new Map(asked.items.map(({ id }, place) => [id, place + 1]))}
              k={k}
            />
          )}
          <ItemsTable
            title={`History: ${plural(shown.historyLength, "item")}`}
            note={of === "train" ? "The model was trained on it." : "What the model sees of this user."}
            items={shown.history}
            total={shown.historyLength}
          />
        </>
      ) : (
        isBusy && <p class="note">Loading the dataset …</p>
      )}
    </>
  );
}

function UserSearch({ user, onSearch }: { user: string; onSearch: (user: string) => void }) {
  const [text, setText] = useState(user);
  return (
    <form
      class="toolbar"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== "") onSearch(text.trim());
      }}
    >
      <label>
        User id
        <input type="search" value={text} onInput={({ currentTarget }) => setText(currentTarget.value)} />
      </label>
      <button type="submit">Show</button>
    </form>
  );
}

interface NeighbourProps {
  readonly label: string;
  readonly dataset: string;
  readonly of: string;
  readonly run: string | undefined;
  readonly user: string | undefined;
}

function Neighbour({ label, dataset, of, run, user }: NeighbourProps) {
  if (user === undefined) return <span>{label}</span>;
  return <a href={addressOfUser(dataset, of as DatasetPart, user, run)}>{label}</a>;
}

interface Answered {
  readonly items: readonly Recommended[] | undefined;
  readonly unknown: number;
  readonly problem: string | undefined;
}

/** What a run recommends for the history of a user. */
function useRecommended(run: string | undefined, user: UserAnswer | undefined, k: number): Answered {
  const [state, setState] = useState<Answered & { key?: string }>({
    items: undefined,
    unknown: 0,
    problem: undefined,
  });
  const key = JSON.stringify([run, user?.of, user?.id, k]);
  useEffect(() => {
    if (run === undefined || user === undefined) return;
    let isStale = false;
    const set = (answered: Answered) => !isStale && setState({ ...answered, key });
    const body = { run, history: user.history.map(({ id }) => id), k };
    tell<{ items: Recommended[]; unknown: readonly unknown[] }>("POST", "/api/recommendations", body)
      .then(({ items, unknown }) => set({ items, unknown: unknown.length, problem: undefined }))
      .catch(({ message }: Error) => set({ items: undefined, unknown: 0, problem: message }));
    return () => {
      isStale = true;
    };
  }, [key, user]);
  return state.key === key ? state : { items: undefined, unknown: 0, problem: undefined };
}

interface ItemsTableProps {
  readonly title: string;
  readonly note: string;
  readonly items: readonly HistoryItem[];
  readonly total: number;
  /** Ranks among the recommendations by id. */
  readonly ranks?: ReadonlyMap<string, number>;
  readonly k?: number;
}

function ItemsTable({ title, note, items, total, ranks, k }: ItemsTableProps) {
  const attributes = attributesOf(items);
  const isRated = items.some(({ rating }) => rating !== undefined);
  return (
    <section>
      <h2>{title}</h2>
      <p class="note">
        {note}
        {items.length < total && ` The first ${count(items.length)} are shown.`}
      </p>
      {items.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
        <section class="wide" aria-label={title} tabIndex={0}>
          <table class="data">
            <thead>
              <tr>
                <ItemHeadings attributes={attributes} />
                {isRated && (
                  <th scope="col" class="number">
                    Rating
                  </th>
                )}
                {ranks && (
                  <th scope="col" class="number">
                    Rank
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {items.map((item) => (
                <tr key={item.id}>
                  <ItemCells item={item} attributes={attributes} />
                  {isRated && <td class="number">{item.rating ?? "–"}</td>}
                  {ranks && (
                    <td class={ranks.has(item.id) ? "number differs" : "number"}>
                      {ranks.get(item.id) ?? `not in the first ${k}`}
                    </td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}
