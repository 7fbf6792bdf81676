// The datasets of the folder and their sizes. Each leads to its page.

import type { DatasetSummary } from "../../../src/studio/api.js";
import { count } from "../texts.js";
import { addressOf } from "../use-address.js";

/** The address of a dataset's page. */
export const addressOfDataset = (id: string): string => addressOf("dataset", new URLSearchParams({ id }));

export function DatasetsPage({ datasets }: { datasets: readonly DatasetSummary[] }) {
  return (
    <>
      <h1>Datasets</h1>
      {datasets.length === 0 ? (
        <p class="note">
          There is no dataset in this folder. <code>foldin prepare</code> creates one.
        </p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
        <section class="wide" aria-label="Table of datasets" tabIndex={0}>
          <table class="data">
            <thead>
              <tr>
                <th scope="col">Folder</th>
                <th scope="col">Name</th>
                <th scope="col">Protocol</th>
                <th scope="col" class="number">
                  Training users
                </th>
                <th scope="col" class="number">
                  Items
                </th>
                <th scope="col" class="number">
                  Interactions
                </th>
                <th scope="col" class="number">
                  Density
                </th>
                <th scope="col" class="number">
                  Validation users
                </th>
                <th scope="col" class="number">
                  Test users
                </th>
                <th scope="col">Has</th>
              </tr>
            </thead>
            <tbody>
              {datasets.map((one) => (
                <tr key={one.id}>
                  <th scope="row">
                    <a href={addressOfDataset(one.id)}>{one.id}</a>
                  </th>
                  <td>{one.name}</td>
                  <td>{one.protocol}</td>
                  <td class="number">{count(one.users)}</td>
                  <td class="number">{count(one.items)}</td>
                  <td class="number">{count(one.interactions)}</td>
                  <td class="number">{densityText(one)}</td>
                  <td class="number">{count(one.validationUsers)}</td>
                  <td class="number">{count(one.testUsers)}</td>
                  <td>{partsOf(one).join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}

export function densityText({ users, items, interactions }: DatasetSummary): string {
  const density = interactions / Math.max(1, users * items);
  return `${Number((100 * density).toPrecision(3))} %`;
}

export function partsOf({ titledItems, ratings, times, content }: DatasetSummary): string[] {
  return [
    ...(titledItems > 0 ? ["titles"] : []),
    ...(ratings ? ["ratings"] : []),
    ...(times ? ["times"] : []),
    ...(content === undefined ? [] : [`content (${content})`]),
  ];
}
