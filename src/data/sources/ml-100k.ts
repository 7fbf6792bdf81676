// MovieLens 100K: a hundred thousand ratings of 1 to 5 stars.

import type { KnownSource } from "./known-source.js";
import { movieLens } from "./movielens.js";

const genres =
  "unknown Action Adventure Animation Children Comedy Crime Documentary Drama Fantasy Film-Noir Horror Musical Mystery Romance Sci-Fi Thriller War Western".split(
    " ",
  );

export const ml100k: KnownSource = {
  title: "MovieLens 100K",
  ...movieLens("ml-100k", "100k", {
    md5: "0e33842e24a9c977be4e0107933c0723",
    members: ["ml-100k/u.data", "ml-100k/u.item"],
  }),
  interactions: {
    names: ["u.data"],
    columns: { delimiter: "\t", header: false, columns: ["user", "item", "rating", "timestamp"] },
  },
  items: {
    names: ["u.item"],
    columns: {
      delimiter: "|",
      header: false,
      columns: ["id", "title", "released", "video released", "imdb", ...genres],
      encoding: "latin-1",
    },
  },
  protocols: [
    {
      options: { protocol: "strong", minRating: 4, validationUsers: 100, testUsers: 100 },
      counts: {
        sourceRows: 100_000,
        filtered: { interactions: 55_361, users: 938, items: 1447, belowRating: 44_625 },
        users: 738,
        items: 1415,
        interactions: 43_606,
        validation: { users: 100, foldIn: 4839, heldOut: 1161 },
        test: { users: 100, foldIn: 4612, heldOut: 1105 },
      },
      from: "pandas and NumPy with the code of Liang et al. 2018",
    },
  ],
};
