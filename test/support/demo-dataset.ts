// A small dataset from the demo catalogue, split by hand: every tenth viewer is held out for validation, every tenth
// for test, with every fifth of their films held out.

import type { Dataset, HeldOutSplit } from "../../src/data/dataset.js";
import { demoCatalogue } from "../../src/data/sources/demo.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { fromRows } from "../../src/sparse/csr.js";

export function demoDataset(viewers = 200): Dataset {
  const { films, views } = demoCatalogue({ films: 100, viewers });
  const items = new Vocabulary(
    films.map(({ id }) => id),
    films.map(({ title }) => title),
  );
  const histories = new Map<string, number[]>();
  for (const { user, item } of views) {
    const history = histories.get(user) ?? [];
    history.push(items.indexOf(item) ?? -1);
    histories.set(user, history);
  }
  const all = [...histories];
  const heldOut = (digit: number): HeldOutSplit => {
    const chosen = all.filter((_, user) => user % 10 === digit);
    return {
      users: new Vocabulary(chosen.map(([user]) => user)),
      foldIn: fromRows(
        items.size,
        chosen.map(([, history]) => history.filter((_, position) => position % 5 !== 0)),
      ),
      heldOut: fromRows(
        items.size,
        chosen.map(([, history]) => history.filter((_, position) => position % 5 === 0)),
      ),
    };
  };
  const training = all.filter((_, user) => user % 10 < 8);
  return {
    name: "demo",
    items,
    users: new Vocabulary(training.map(([user]) => user)),
    train: fromRows(
      items.size,
      training.map(([, history]) => history),
    ),
    validation: heldOut(8),
    test: heldOut(9),
  };
}
