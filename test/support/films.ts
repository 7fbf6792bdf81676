// A small dataset with titles and attributes, and trained runs of it, for the studio's tests: 40 films of four series; the users of a
// series have most of its films. The last two films have the same title.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomUniforms } from "../../src/core/philox.js";
import { foldin } from "./foldin.js";

export const FILMS = 40;
const GENRES = ["comedy", "drama", "war"];

export const seriesOf = (film: number): number => (film - 1) % 4;
const titleOf = (film: number): string => (film > FILMS - 2 ? "twins" : `film ${film} (${1960 + film})`);

/** Makes the dataset `films` and runs of the given models, which have their names, in a folder. "wmf factors=4" is a model with an option. */
export async function makeFilms(
  folder: string,
  models: readonly string[] = ["ease", "popularity"],
): Promise<void> {
  const items = Array.from({ length: FILMS }, (_, place) => {
    const film = place + 1;
    const genres = GENRES.filter((_, g) => film % (g + 2) === 0 || g === 0);
    return [film, titleOf(film), 1960 + film, genres.join("|"), `s${seriesOf(film)}`].join(",");
  });
  writeFileSync(join(folder, "films.csv"), ["id,title,year,genres,series", ...items, ""].join("\n"));
  const draws = new Float64Array(201 * (FILMS + 1));
  randomUniforms({ seed: 1, step: 0, stream: 0 }, draws);
  const views: string[] = [];
  for (let user = 1; user <= 200; user++)
    for (let film = 1; film <= FILMS; film++) {
      const chance = seriesOf(film) === user % 4 ? 0.7 : 0.1;
      if (draws[user * (FILMS + 1) + film] < chance) views.push(`${user},${film}`);
    }
  writeFileSync(join(folder, "views.csv"), ["user,item", ...views, ""].join("\n"));
  const made = async (...args: string[]) => {
    const { code, stderr } = await foldin(args, { cwd: folder });
    if (code !== 0) throw new Error(stderr);
  };
  await made("prepare", "views.csv", "--items", "films.csv", "--out", "films");
  for (const [model, ...options] of models.map((text) => text.split(" "))) {
    const set = options.flatMap((option) => ["--set", option]);
    await made("train", "films", "--model", model, ...set, "--out", model);
  }
}
