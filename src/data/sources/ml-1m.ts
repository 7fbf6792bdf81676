// MovieLens 1M: a million ratings of 1 to 5 stars.

import type { KnownSource } from "./known-source.js";
import { movieLens } from "./movielens.js";

export const ml1m: KnownSource = {
  title: "MovieLens 1M",
  ...movieLens("ml-1m", "1m", {
    md5: "c4d9eecfca2ab87c1945afe126590906",
    members: ["ml-1m/ratings.dat", "ml-1m/movies.dat"],
  }),
  interactions: {
    names: ["ratings.dat"],
    columns: { delimiter: "::", header: false, columns: ["user", "item", "rating", "timestamp"] },
  },
  items: {
    names: ["movies.dat"],
    columns: { delimiter: "::", header: false, columns: ["id", "title", "genres"], encoding: "latin-1" },
  },
  protocols: [
    {
      options: { protocol: "strong", minRating: 4, validationUsers: 600, testUsers: 600 },
      counts: {
        sourceRows: 1_000_209,
        filtered: { interactions: 575_272, users: 6034, items: 3533, belowRating: 424_928 },
        users: 4834,
        items: 3497,
        interactions: 462_827,
        validation: { users: 600, heldOut: 11_228 },
        test: { users: 600, heldOut: 10_761 },
      },
      from: "Microsoft Recommenders, multi_vae_deep_dive.ipynb; pandas and NumPy with the code of Liang et al. 2018",
    },
    {
      options: { protocol: "notebook", minRating: 4 },
      counts: { sourceRows: 1_000_209, items: 3125, users: 4834, filtered: { users: 6034, items: 3125 } },
      from: "the Keras notebooks",
    },
  ],
};
