// The summary of a dataset, from its manifest; the tables are not opened.

import { join } from "node:path";
import { readJson } from "../core/json-file.js";
import { checkManifest } from "../data/dataset.js";
import { datasetFolder, manifestFile } from "../data/manifest.js";
import type { DatasetSummary } from "./api.js";
import type { FoundFolder } from "./find-folders.js";

/** The summary of a dataset; undefined if the folder is not a dataset. Throws UserError, naming the file, if its manifest is damaged. */
export async function readDatasetSummary({ id, path }: FoundFolder): Promise<DatasetSummary | undefined> {
  const file = join(path, manifestFile);
  const json = await readJson(file);
  // Web applications have a manifest.json too.
  if (!datasetFolder.recognises?.(json)) return undefined;
  const { name, protocol, counts, columns, items, content } = checkManifest(json, file);
  return {
    id,
    name,
    protocol: protocol.protocol,
    users: counts.users,
    items: counts.items,
    interactions: counts.interactions,
    validationUsers: counts.validation.users,
    testUsers: counts.test.users,
    ratings: columns.value,
    times: columns.time,
    titledItems: items?.titled ?? 0,
    ...(content && { content: content.kind }),
  };
}
