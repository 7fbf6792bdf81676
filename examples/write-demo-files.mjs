// Writes the generated catalogue as files, to try foldin without your own data: views.csv (user, item, time), films.csv
// (id, title, year, genres) and plots.csv (id, text), and two files for later: new-views.csv, and new-films.csv with films
// without views.
//
//   node examples/write-demo-files.mjs <folder>

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { demoCatalogue } from "../dist/index.js";

const folder = process.argv[2] ?? ".";
const { films, views } = demoCatalogue({ films: 600, viewers: 1500 });
const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
const csv = (name, header, rows) =>
  writeFileSync(join(folder, name), `${[header, ...rows.map((row) => row.join(","))].join("\n")}\n`);

mkdirSync(folder, { recursive: true });
// The last twenty films are the new ones.
const released = films.slice(0, -20);
const known = new Set(released.map(({ id }) => id));
const rows = [...views]
  .filter(({ item }) => known.has(item))
  .map(({ user, item, time }) => [user, item, time]);
const recent = rows.map(([, , time]) => time).sort((a, b) => a - b)[Math.floor(0.95 * rows.length)];
csv(
  "views.csv",
  "user,item,time",
  rows.filter(([, , time]) => time < recent),
);
csv("new-views.csv", "user,item,time", rows);
csv(
  "films.csv",
  "id,title,year,genres",
  released.map(({ id, title, year, genres }) => [id, quoted(title), year, genres.join("|")]),
);
const plots = (some) => some.map(({ id, title, description }) => [id, quoted(title), quoted(description)]);
csv("plots.csv", "id,title,text", plots(released));
csv("new-films.csv", "id,title,text", plots(films.slice(-20)));
console.log(`views.csv, new-views.csv, films.csv, plots.csv and new-films.csv are in ${folder}`);
