import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

// The layers, lowest first; a module (a folder of src/) imports only from layers below its own or from itself.
const layers = [
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
const layerOf = new Map(layers.flatMap((modules, layer) => modules.map((name) => [name, layer] as const)));
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

describe("the layers", () => {
  it("have a place for every folder of src/", () => {
    for (const file of files) {
      const name = relative(source, file).split("/")[0];
      expect(name === "index.ts" || layerOf.has(name), `src/${name} has no layer`).toBe(true);
    }
  });

  it("import only from lower layers", () => {
    const upward: string[] = [];
    for (const file of files) {
      const from = relative(source, file).split("/")[0];
      if (from === "index.ts") continue;
      for (const target of importsOf(file)) {
        const to = relative(source, target).split("/")[0];
        if (from === to) continue;
        if (!((layerOf.get(to) ?? Infinity) < (layerOf.get(from) ?? -1)))
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

describe("data/database.ts", () => {
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
