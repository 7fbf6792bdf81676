// The Netflix Prize: a hundred million ratings of 1 to 5 stars, one block of lines per film.

import { UserError } from "../../core/errors.js";
import { linesOf, readText } from "../../core/input-file.js";
import type { ItemRecord } from "../items.js";
import type { KnownSource } from "./known-source.js";
import { netflixRows } from "./netflix-rows.js";

export const netflix: KnownSource = {
  name: "netflix",
  title: "Netflix Prize",
  homepage: "https://www.kaggle.com/datasets/netflix-inc/netflix-prize-data",
  licence: "for non-commercial research; withdrawn by Netflix, so there is no official download",
  getting: "Netflix has withdrawn it; the archive on Kaggle (combined_data_*.txt) requires an account",
  interactions: {
    names: ["combined_data_*.txt", "mv_*.txt", "training_set/mv_*.txt"],
    rewrite: netflixRows,
    columns: {
      delimiter: ",",
      header: true,
      user: "user",
      item: "item",
      rating: "rating",
      time: "date",
      encoding: "utf-8",
    },
  },
  items: {
    names: ["movie_titles.csv", "movie_titles.txt"],
    parse: async (file) => (file === undefined ? [] : readTitles(file)),
  },
  protocols: [
    {
      options: { protocol: "strong", minRating: 4, validationUsers: 40_000, testUsers: 40_000 },
      counts: {
        sourceRows: 100_480_507,
        filtered: { interactions: 56_880_037, users: 463_435, items: 17_769 },
        users: 383_435,
        validation: { users: 40_000 },
        test: { users: 40_000 },
      },
      from: "Liang et al. 2018, table 1; EVCF, Netflix_preprocessing.ipynb",
    },
  ],
};

/** Lines "id,year,title" in latin-1; a title may contain commas and is never quoted. */
async function readTitles(file: string): Promise<ItemRecord[]> {
  const lines = linesOf(await readText(file, { encoding: "windows-1252", expected: "the films' titles" }));
  return lines
    .map((line, k) => ({ line, place: `${file}:${k + 1}` }))
    .filter(({ line }) => line !== "")
    .map(({ line, place }) => {
      const fields = /^(\d+),(\d{4}|NULL),(.*)$/.exec(line);
      if (!fields)
        throw new UserError({
          place,
          problem: `cannot read the line "${line.slice(0, 60)}"`,
          expected: "the number, year and title of a film, separated by commas",
        });
      const [, id, year, title] = fields;
      return { id, title, year: year === "NULL" ? null : year };
    });
}
