// A search through the items of a dataset.

import type { ItemsPage } from "../../../src/studio/dataset-api.js";
import { Pager } from "../pager.js";
import { plural } from "../texts.js";
import type { Address } from "../use-address.js";
import { useAsked, useSettled } from "../use-asked.js";
import { attributesOf, ItemCells, ItemHeadings } from "./item-cells.js";

const ROWS = 20;

interface Props {
  readonly dataset: string;
  /** Names of the attributes. */
  readonly attributes: readonly string[];
  readonly address: Address;
}

export function Items({ dataset, attributes, address: { parameters, set } }: Props) {
  const search = parameters.get("items") ?? "";
  const where = parameters.get("where") ?? "";
  const order = parameters.get("order") === "rare" ? "rare" : "popular";
  const from = Number(parameters.get("item-row") ?? 0) || 0;
  const query = new URLSearchParams({
    ...{ dataset, search, order, from: String(from), limit: String(ROWS) },
    ...(where !== "" && { where }),
  });
  const { answer, problem, isBusy } = useAsked<ItemsPage>(useSettled(`/api/dataset/items?${query}`));
  const columns = attributesOf(answer?.items ?? []);
  return (
    <section>
      <h2>Items</h2>
      <form class="toolbar" onSubmit={(event) => event.preventDefault()}>
        <label class="grow">
          Search items
          <input
            type="search"
            value={search}
            placeholder={attributes.length > 0 ? "title, id, or a value of an attribute" : "title or id"}
            onInput={({ currentTarget }) => set({ items: currentTarget.value, "item-row": undefined })}
          />
        </label>
        {attributes.length > 0 && (
          <label class="grow">
            Where
            <input
              type="search"
              value={where}
              placeholder={`${attributes[0]} = …`}
              aria-describedby="where-hint"
              onInput={({ currentTarget }) => set({ where: currentTarget.value, "item-row": undefined })}
            />
          </label>
        )}
        <label>
          Order
          <select
            value={order}
            onChange={({ currentTarget }) => set({ order: currentTarget.value, "item-row": undefined })}
          >
            <option value="popular">most popular first</option>
            <option value="rare">least popular first</option>
          </select>
        </label>
      </form>
      {attributes.length > 0 && (
        <p class="note" id="where-hint">
          Conditions as in <code>--where</code>, on {attributes.join(", ")}.
        </p>
      )}
      {problem !== undefined && (
        <p class="warning" role="alert">
          {problem}
        </p>
      )}
      {answer?.unknown.map(({ attribute, value, nearest }) => (
        <p class="note" key={`${attribute} ${value}`}>
          No item has the {attribute} “{value}”{nearest !== undefined && `; did you mean “${nearest}”?`}
        </p>
      ))}
      <p class="status" role="status">
        {answer ? plural(answer.total, "item") : "Reading the items …"}
      </p>
      {answer && answer.items.length > 0 && (
        <>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard. */}
          <section class="wide" aria-label="Table of items" aria-busy={isBusy} tabIndex={0}>
            <table class="data">
              <thead>
                <tr>
                  <ItemHeadings attributes={columns} />
                </tr>
              </thead>
              <tbody>
                {answer.items.map((item) => (
                  <tr key={item.id}>
                    <ItemCells item={item} attributes={columns} />
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
          <Pager
            {...{ from, rows: ROWS, total: answer.total }}
            what="items"
            onMove={(row) => set({ "item-row": row === 0 ? undefined : String(row) })}
          />
        </>
      )}
    </section>
  );
}
