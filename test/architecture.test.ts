import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

// The floors of the house, lowest first; a folder imports only from floors below its own or from itself.
const floors = [
  ["core"],
  ["sparse"],
  ["data"],
  ["compute"],
  ["recommender"],
  ["evaluation", "nn"],
  ["training"],
  ["models"],
  ["serving", "experiments"],
  ["cli"],
];
const floorOf = new Map(floors.flatMap((rooms, floor) => rooms.map((room) => [room, floor] as const)));
const source = resolve(import.meta.dirname, "../src");

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join(source, name));

function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) =>
    resolve(dirname(file), match[1].replace(/\.js$/, ".ts")),
  );
}

describe("the floors of the house", () => {
  it("knows every folder", () => {
    for (const file of files) {
      const room = relative(source, file).split("/")[0];
      expect(room === "index.ts" || floorOf.has(room), `src/${room} has no floor`).toBe(true);
    }
  });

  it("imports only downwards", () => {
    const upward: string[] = [];
    for (const file of files) {
      const from = relative(source, file).split("/")[0];
      if (from === "index.ts") continue;
      for (const target of importsOf(file)) {
        const to = relative(source, target).split("/")[0];
        if (from === to) continue;
        if (!((floorOf.get(to) ?? Infinity) < (floorOf.get(from) ?? -1)))
          upward.push(`${relative(source, file)} imports ${relative(source, target)}`);
      }
    }
    expect(upward).toEqual([]);
  });

  it("makes folders in one place, level by level: Node's recursive mkdir never ends where a file system refuses", () => {
    const elsewhere = files.filter((file) =>
      /mkdir(Sync)?\([^;]*recursive: true/.test(readFileSync(file, "utf8")),
    );
    expect(elsewhere.map((file) => relative(source, file))).toEqual([]);
  });

  it("has no circles", () => {
    const state = new Map<string, "open" | "done">();
    const circles: string[] = [];
    const visit = (file: string, path: string[]) => {
      if (state.get(file) === "done") return;
      if (state.get(file) === "open") {
        circles.push(
          [...path.slice(path.indexOf(file)), file].map((name) => relative(source, name)).join(" -> "),
        );
        return;
      }
      state.set(file, "open");
      for (const target of importsOf(file)) visit(target, [...path, file]);
      state.set(file, "done");
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });
});

describe("the one door to DuckDB", () => {
  const sql =
    /\b(?:read_(?:parquet|csv|json|ndjson|text|blob)\w*|parquet_\w+|sniff_csv|glob)\s*\(|\bCOPY\s*\(|\bCOPY\s+\$|\b(?:ATTACH|IMPORT|EXPORT)\s+(?:DATABASE\b|')|\b(?:FROM|TO)\s+(?:'|\$\{literal)|hive_partitioning/;

  it("is the only place that puts a file's name into SQL, so that names are taken literally everywhere", () => {
    const elsewhere = files
      .filter((file) => relative(source, file) !== join("data", "database.ts"))
      .filter((file) => sql.test(readFileSync(file, "utf8")))
      .map((file) => relative(source, file));
    expect(elsewhere).toEqual([]);
  });

  it("would notice a reader or a COPY elsewhere", () => {
    const examples = [
      "`SELECT * FROM read_parquet($" + "{literal(path)})`",
      "`read_csv_auto('x.csv')`",
      "`COPY (SELECT 1) TO 'x.csv'`",
      "`COPY $" + "{table} TO $" + "{literal(path)}`",
      "`ATTACH '$" + "{path}'`",
      "`SELECT * FROM '$" + "{path}'`",
    ];
    for (const example of examples) expect(example).toMatch(sql);
  });
});
