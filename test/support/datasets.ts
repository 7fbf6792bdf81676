// Small datasets for tests, made in memory.

import { RandomSequence } from "../../src/core/philox.js";
import { wordContent } from "../../src/data/content/in-memory.js";
import type { Dataset, HeldOutSplit } from "../../src/data/dataset.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { type CsrMatrix, emptyMatrix, fromRows } from "../../src/sparse/csr.js";

export function vocabulary(prefix: string, size: number): Vocabulary {
  const ids = Array.from({ length: size }, (_, index) => `${prefix}${index}`);
  return new Vocabulary(
    ids,
    ids.map((id) => (id.endsWith("3") ? null : `Title of ${id}`)),
  );
}

export function split(foldIn: CsrMatrix, heldOut: CsrMatrix, prefix: string): HeldOutSplit {
  return { users: vocabulary(prefix, foldIn.rows), foldIn, heldOut };
}

/** A dataset with nobody to validate on and nobody to evaluate. */
export function trainingOnly(train: CsrMatrix, name = "made up"): Dataset {
  const nobody = split(emptyMatrix(0, train.columns), emptyMatrix(0, train.columns), "v");
  return {
    name,
    items: vocabulary("i", train.columns),
    users: vocabulary("u", train.rows),
    train,
    validation: nobody,
    test: nobody,
  };
}

/**
 * Users and items come in two colours; a user touches all items of the own colour except one, which is held out (Ben
 * Frederickson's test in `implicit`). A model that has learned the pattern ranks the withheld item first.
 */
export function checkerboard(users = 50, items = 50): Dataset {
  const seen = (user: number) =>
    Array.from({ length: items }, (_, item) => item).filter(
      (item) => item % 2 === user % 2 && item !== user % items,
    );
  const rows = Array.from({ length: users }, (_, user) => user);
  const train = fromRows(items, rows.map(seen));
  const heldOut = fromRows(
    items,
    rows.map((user) => [user % items]),
  );
  return {
    name: "checkerboard",
    items: vocabulary("item", items),
    users: vocabulary("user", users),
    train,
    validation: split(train, heldOut, "user"),
    test: split(train, heldOut, "user"),
  };
}

/**
 * The dataset with a bag of words per item: eight words of twelve, four of which only items of the same parity have; item 7
 * has none. A word may come several times.
 */
export function withWords(dataset: Dataset): Dataset {
  const random = new RandomSequence({ seed: 1, step: 0, stream: 0 });
  const words = 12;
  const lists = dataset.items.ids.map((_, item) =>
    item === 7
      ? []
      : [...Array(4).keys()]
          .map((w) => 4 * (item % 2) + w)
          .concat([8, 9, 10, 11].filter(() => random.below(2) === 0)),
  );
  const counts = fromRows(words, lists);
  const values = Float32Array.from(counts.indices, () => 1 + random.below(3));
  return { ...dataset, content: wordContent({ ...counts, values }, vocabulary("word", words)) };
}

/** Users with one of a few tastes each, and held-out users of the same tastes: small, learnable, and different for every seed. */
export function tastes({ users = 200, heldOutUsers = 40, items = 60, seed = 1 } = {}): Dataset {
  const random = new RandomSequence({ seed, step: 0, stream: 0 });
  const groups = 4;
  const history = () => {
    const taste = random.below(groups);
    const chosen = new Set<number>();
    while (chosen.size < 6 + random.below(8)) {
      const item = random.below(items);
      if (item % groups === taste || random.uniform() < 0.1) chosen.add(item);
    }
    return [...chosen];
  };
  const lists = (count: number) => Array.from({ length: count }, history);
  const heldOutSplit = (prefix: string): HeldOutSplit => {
    const all = lists(heldOutUsers);
    const cut = (list: number[]) => Math.ceil(list.length * 0.7);
    return split(
      fromRows(
        items,
        all.map((list) => list.slice(0, cut(list))),
      ),
      fromRows(
        items,
        all.map((list) => list.slice(cut(list))),
      ),
      prefix,
    );
  };
  return {
    name: `tastes-${seed}`,
    items: vocabulary("item", items),
    users: vocabulary("user", users),
    train: fromRows(items, lists(users)),
    validation: heldOutSplit("v"),
    test: heldOutSplit("t"),
  };
}
