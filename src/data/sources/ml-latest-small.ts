// MovieLens latest-small: a hundred thousand ratings of half a star to five. It is updated from time to time, so its checksum is
// read from the .md5 file next to the archive, and the counts are those of the release of September 2018.

import type { KnownSource } from "./known-source.js";
import { movieLens } from "./movielens.js";

export const mlLatestSmall: KnownSource = {
  title: "MovieLens latest-small",
  ...movieLens("ml-latest-small", "latest", {
    md5: "md5-file",
    members: ["ml-latest-small/ratings.csv", "ml-latest-small/movies.csv"],
  }),
  changes: true,
  interactions: { names: ["ratings.csv"] },
  items: { names: ["movies.csv"] },
  protocols: [
    {
      options: { protocol: "strong", minRating: 4, validationUsers: 60, testUsers: 60 },
      counts: {
        sourceRows: 100_836,
        filtered: { interactions: 48_562, users: 603, items: 6298, belowRating: 52_256 },
        users: 483,
        items: 5660,
        interactions: 38_246,
        validation: { users: 60, foldIn: 3875, heldOut: 939 },
        test: { users: 60, foldIn: 3879, heldOut: 935 },
      },
      from: "pandas and NumPy with the code of Liang et al. 2018",
    },
  ],
};
