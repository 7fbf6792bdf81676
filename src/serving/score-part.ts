// One part of a scoring: the recommendations of consecutive users in a Parquet file, which appears complete or not at all.

import { rename } from "node:fs/promises";
import { join } from "node:path";
import { NO_ITEM } from "../compute/engine.js";
import { withPartial } from "../core/leftovers.js";
import { withDatabase } from "../data/database.js";
import type { Histories } from "../data/histories.js";
import { Vocabulary } from "../data/vocabulary.js";
import type { ItemSet } from "../recommender/item-set.js";
import type { Recommender } from "../recommender/recommender.js";
import { sliceRows } from "../sparse/csr.js";

/** What the parts of a scoring share. */
export interface PartOptions {
  /** The folder of the parts. */
  readonly folder: string;
  readonly k: number;
  readonly includeHistory: boolean;
  readonly partUsers: number;
  /** The items to choose from; undefined = all. */
  readonly allowed: ItemSet | undefined;
}

/** The file of a part. */
export function fileOfPart(folder: string, part: number): string {
  return join(folder, `part-${String(part).padStart(6, "0")}.parquet`);
}

/** The users of a part: `from` up to `to`. */
export function usersOfPart(part: number, users: number, partUsers: number): { from: number; to: number } {
  const from = part * partUsers;
  return { from, to: Math.min(users, from + partUsers) };
}

/** Computes a part and writes its file. `beforeRename` is called when the file is complete; if it throws, the file does not appear. */
export async function writePart(
  { folder, k, includeHistory, partUsers, allowed }: PartOptions,
  part: number,
  recommender: Recommender,
  { users, matrix }: Histories,
  { signal, beforeRename }: { signal?: AbortSignal; beforeRename?: () => Promise<void> } = {},
): Promise<void> {
  const path = fileOfPart(folder, part);
  const { from, to } = usersOfPart(part, users.length, partUsers);
  const { items } = recommender;
  const block = sliceRows(matrix, from, to);
  const without = includeHistory ? undefined : block;
  const best = await recommender.score(block, { signal }).topK(k, without, allowed?.words);
  // A user with fewer recommendations has empty ranks at the end of the row.
  const places: number[] = [];
  for (let place = 0; place < best.items.length; place++)
    if (best.items[place] !== NO_ITEM) places.push(place);
  const { titles } = items;
  const id = (numeric: boolean, column: string) =>
    numeric ? `CAST("${column}" AS BIGINT) AS "${column}"` : `"${column}"`;
  await withPartial(path, async (partial) => {
    await withDatabase(
      async (database) => {
        const chosen = [
          id(new Vocabulary(users).numeric, "user"),
          "rank",
          id(items.numeric, "item"),
          ...(titles ? ["title"] : []),
          "score",
        ];
        await database.writeRows(partial, {
          columns: {
            ...({ user: "VARCHAR", rank: "UINTEGER", item: "VARCHAR" } as const),
            ...(titles && ({ title: "VARCHAR" } as const)),
            score: "FLOAT",
          },
          rows: places.length,
          fill: (first, count, set) => {
            const [user, rank, item, title] = set;
            const score = set[set.length - 1];
            for (let row = 0; row < count; row++) {
              const place = places[first + row];
              user(row, users[from + Math.floor(place / best.k)]);
              rank(row, (place % best.k) + 1);
              item(row, items.ids[best.items[place]]);
              if (titles) title(row, titles[best.items[place]]);
              score(row, best.scores[place]);
            }
          },
          select: chosen.join(", "),
        });
      },
      { signal },
    );
    await beforeRename?.();
    await rename(partial, path);
  });
}
