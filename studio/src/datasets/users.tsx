// A search through the users of a dataset by their ids.

import type { DatasetPart, UsersPage } from "../../../src/studio/dataset-api.js";
import { Pager } from "../pager.js";
import { count, plural } from "../texts.js";
import { type Address, addressOf } from "../use-address.js";
import { useAsked, useSettled } from "../use-asked.js";

const ROWS = 15;

interface Props {
  readonly dataset: string;
  readonly address: Address;
  /** The number of users of each part. */
  readonly sizes: Readonly<Record<DatasetPart, number>>;
}

const labels: Readonly<Record<DatasetPart, string>> = {
  test: "test users",
  validation: "validation users",
  train: "training users",
};

/** The part of the users that the address names: those of the test set if there are any. */
function partOf(text: string | null, sizes: Props["sizes"]): DatasetPart {
  if (text === "train" || text === "validation" || text === "test") return text;
  return sizes.test > 0 ? "test" : "train";
}

/** The address of a user's page. */
export const addressOfUser = (dataset: string, of: DatasetPart, user: string, run = ""): string =>
  addressOf("user", new URLSearchParams({ dataset, of, user, ...(run !== "" && { run }) }));

export function Users({ dataset, address: { parameters, set }, sizes }: Props) {
  const search = parameters.get("users") ?? "";
  const of = partOf(parameters.get("of"), sizes);
  const from = Number(parameters.get("user-row") ?? 0) || 0;
  const query = new URLSearchParams({ dataset, of, search, from: String(from), limit: String(ROWS) });
  const { answer, problem, isBusy } = useAsked<UsersPage>(useSettled(`/api/dataset/users?${query}`));
  return (
    <section>
      <h2>Users and their histories</h2>
      <form class="toolbar" onSubmit={(event) => event.preventDefault()}>
        <label>
          Of
          <select
            value={of}
            onChange={({ currentTarget }) => set({ of: currentTarget.value, "user-row": undefined })}
          >
            {(Object.keys(labels) as DatasetPart[]).map((part) => (
              <option key={part} value={part} disabled={sizes[part] === 0}>
                {count(sizes[part])} {labels[part]}
              </option>
            ))}
          </select>
        </label>
        <label class="grow">
          Search users
          <input
            type="search"
            value={search}
            placeholder="user id"
            onInput={({ currentTarget }) => set({ users: currentTarget.value, "user-row": undefined })}
          />
        </label>
      </form>
      {problem !== undefined && (
        <p class="warning" role="alert">
          {problem}
        </p>
      )}
      <p class="status" role="status">
        {answer ? plural(answer.total, "user") : "Reading the users …"}
      </p>
      {answer && answer.users.length > 0 && (
        <>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard. */}
          <section class="wide fitting" aria-label="Table of users" aria-busy={isBusy} tabIndex={0}>
            <table class="data">
              <thead>
                <tr>
                  <th scope="col">User</th>
                  <th scope="col" class="number">
                    History
                  </th>
                  {of !== "train" && (
                    <th scope="col" class="number">
                      Held out
                    </th>
                  )}
                </tr>
              </thead>
              <tbody>
                {answer.users.map(({ id, history, heldOut }) => (
                  <tr key={id}>
                    <th scope="row">
                      <a href={addressOfUser(dataset, of, id)}>{id}</a>
                    </th>
                    <td class="number">{count(history)}</td>
                    {of !== "train" && <td class="number">{count(heldOut)}</td>}
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
          <Pager
            {...{ from, rows: ROWS, total: answer.total }}
            what="users"
            onMove={(row) => set({ "user-row": row === 0 ? undefined : String(row) })}
          />
        </>
      )}
    </section>
  );
}
