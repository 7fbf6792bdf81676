// Items in tables: title, id, popularity and attributes.

import type { ListedItem } from "../../../src/studio/dataset-api.js";
import { count } from "../texts.js";

/** "Crime, Drama"; nothing for an item without a value. */
function valuesText(item: ListedItem, attribute: string): string {
  const values = item.attributes?.[attribute] ?? [];
  return values
    .map((value) => (typeof value === "number" ? String(Number(value.toPrecision(12))) : value))
    .join(", ");
}

/** The attributes that any of the items has. */
export function attributesOf(items: readonly ListedItem[]): string[] {
  return [...new Set(items.flatMap(({ attributes }) => Object.keys(attributes ?? {})))];
}

export function ItemHeadings({ attributes }: { attributes: readonly string[] }) {
  return (
    <>
      <th scope="col">Item</th>
      <th scope="col">Id</th>
      <th scope="col" class="number">
        Training users
      </th>
      {attributes.map((name) => (
        <th scope="col" key={name}>
          {name}
        </th>
      ))}
    </>
  );
}

export function ItemCells({ item, attributes }: { item: ListedItem; attributes: readonly string[] }) {
  return (
    <>
      <th scope="row" title={item.title ?? item.id}>
        {item.title ?? item.id}
      </th>
      <td>{item.id}</td>
      <td class="number">{count(item.users)}</td>
      {attributes.map((name) => (
        <td key={name} title={valuesText(item, name)}>
          {valuesText(item, name)}
        </td>
      ))}
    </>
  );
}
