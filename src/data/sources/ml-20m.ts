// MovieLens 20M: the main data set of Liang et al. 2018 and of most that followed.

import type { KnownSource } from "./known-source.js";
import { movieLens } from "./movielens.js";

const filtered = { interactions: 9_990_682, users: 136_677, items: 20_720 };

export const ml20m: KnownSource = {
  title: "MovieLens 20M",
  ...movieLens("ml-20m", "20m", {
    md5: "cd245b17a1ae2cc31bb14903e1204af3",
    members: ["ml-20m/ratings.csv", "ml-20m/movies.csv"],
  }),
  interactions: { names: ["ratings.csv"] },
  items: { names: ["movies.csv"] },
  protocols: [
    {
      // The paper's "> 3.5": ratings are multiples of 0.5.
      options: { protocol: "strong", minRating: 4, validationUsers: 10_000, testUsers: 10_000 },
      counts: {
        sourceRows: 20_000_263,
        filtered,
        users: 116_677,
        items: 20_108,
        interactions: 8_538_846,
        validation: { users: 10_000, heldOut: 142_514 },
        test: { users: 10_000, heldOut: 139_775 },
      },
      from: "Liang et al. 2018, table 1; the published split (dawenl/vae_cf, EVCF)",
    },
    {
      options: { protocol: "strong", minRating: 4, validationUsers: 0.1, testUsers: 0.1 },
      counts: { filtered, validation: { users: 13_667 }, test: { users: 13_667 } },
      from: "RecoTour, mult-vae/prepare_data.py",
    },
  ],
};
