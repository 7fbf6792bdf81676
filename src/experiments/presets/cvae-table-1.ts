// CVAE, table 1: ten recommendations for each of two users of citeulike-a with one training article. They are the users of the
// released split with P = 1 whose article is the paper's and whose library has the articles that the paper marks.

import { cdlRun, cvaeRun, cvaeSource, evaluated, released, titlesAlone } from "./cvae.js";
import type { Preset } from "./preset.js";

export const cvaeTable1: Preset = {
  name: "cvae-table-1",
  summary: "The ten best articles for two users of citeulike-a with one training article each.",
  source: `${cvaeSource}, table 1`,
  studies: [
    {
      ...evaluated,
      ...released(1),
      key: "citeulike-a-p1",
      title: "citeulike-a, P = 1",
      source: "citeulike-a",
      lists: {
        k: 10,
        users: [
          { id: "2365", title: "User I", published: { cvae: 9, cdl: 4 } },
          { id: "2920", title: "User II", published: { cvae: 7, cdl: 3 } },
        ],
      },
      runs: [
        cvaeRun(),
        cdlRun,
        {
          key: "content-knn",
          title: "Content kNN",
          model: "content-knn",
          options: { neighbours: 200 },
          note: "Not in the paper",
        },
      ],
      note: titlesAlone,
    },
  ],
};
