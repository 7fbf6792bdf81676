// Amazon reviews of films and series (McAuley 2014), the "5-core" file. Every review counts as an interaction, even one with a
// single star, as in RecoTour. The file has no titles.

import type { KnownSource } from "./known-source.js";

const file = "reviews_Movies_and_TV_5.json";

export const amazonMovies: KnownSource = {
  name: "amazon-movies",
  title: "Amazon Movies & TV, 5-core",
  homepage: "https://jmcauley.ucsd.edu/data/amazon/",
  licence: "for research, with the citation requested on its homepage",
  interactions: {
    names: [`${file}.gz`, file],
    columns: {
      format: "json-lines",
      user: "reviewerID",
      item: "asin",
      rating: "overall",
      time: "unixReviewTime",
    },
  },
  protocols: [
    {
      options: { protocol: "strong", validationUsers: 0.1, testUsers: 0.1 },
      counts: {
        sourceRows: 1_697_533,
        filtered: { interactions: 1_697_533, users: 123_960, items: 50_052 },
        users: 99_168,
        items: 50_049,
        validation: { users: 12_396 },
        test: { users: 12_396 },
      },
      from: "RecoTour, mult-vae/prepare_data.py",
    },
  ],
  download: {
    address: "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/",
    files: [{ path: `${file}.gz` }],
  },
};
