import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { algorithmNames } from "../src/models/registry.js";

// The layers, lowest first; a module (a folder of src/) imports only from layers below its own or from itself.
const layers = [
  // The client shares no code with the rest, so that it runs in browsers.
  ["client"],
  ["core"],
  ["sparse"],
  ["data"],
  ["compute"],
  ["recommender"],
  ["evaluation", "nn"],
  ["training"],
  ["models"],
  ["tasks"],
  ["serving", "experiments"],
  ["studio"],
  // The process that does tasks, which has the code of all of them.
  ["worker"],
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

describe("test/ mirrors src/", () => {
  /** Suites across many files, by what they hold. */
  const crossCutting: Record<string, readonly string[]> = {
    "the project as a whole": [
      "architecture",
      "built-files",
      "documents",
      "packaging",
      "regular-expressions",
      "licences",
      "public-api",
      "release",
      "setup",
      "docs/prose",
      "docs/references",
      "docs/reproduction-table",
      "guides",
      "workflows",
    ],
    "programs that use it": [
      "examples/browser",
      "examples/serving",
      "examples/shop",
      "examples/train-and-recommend",
    ],
    "inputs from the field": ["field/field", "data/dirty-files", "data/content/dirty-content"],
    "every model": ["models/conformance", "models/at-size", "models/saved-models"],
    "a batch or a catalogue in pieces, sparse Adam, and sampled outputs": [
      ...["compute/pieces", "models/autoencoders/sparse-adam", "models/autoencoders/sampled-output"],
      "models/autoencoders/divided",
    ],
    "thresholds (docs/decisions/thresholds.md)": [
      ...["compute/engines/thresholds", "data/thresholds", "models/thresholds", "serving/thresholds"],
    ],
    "gradients of every operation, and layers together": ["compute/gradients", "nn/layers"],
    "element types of storage": ["compute/elements", "compute/parameter-copies"],
    "the Rust crate's own tests": ["compute/engines/native-crate"],
    "published data, where it is at hand": ["data/golden", "data/sources/golden", "experiments/ml-1m"],
    "options of preparing that belong together": ["data/given-split"],
    "every command": [
      ...["cli/bad-input", "cli/input-files", "cli/printed", "cli/printed-commands", "cli/turns"],
      ...["cli/full-disk", "cli/interrupted", "cli/second-signal", "cli/locked", "cli/replaced"],
    ],
    "processes that are killed, and files that are damaged": [
      ...["experiments/crash-points", "experiments/kill", "experiments/hostile-files", "serving/killed"],
    ],
    "the hyperparameter search, from the command line": ["cli/search"],
    "a queue and its workers, from the command line": ["cli/queue", "cli/queue-kills", "cli/shards"],
    "manifests of Kubernetes and scripts of SLURM": ["examples/cluster"],
    "checkpoints and the disk": ["training/durable-checkpoint"],
    "the studio's page": [
      ...["studio/browser", "studio/page/columns", "studio/page/filter", "studio/page/pareto"],
      ...["studio/page/settings", "studio/page/map", "studio/playground"],
    ],
    "a server as its clients see it": ["serving/fuzz", "serving/hostile", "serving/troubled-store"],
  };
  const test = import.meta.dirname;
  const suites = readdirSync(test, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => name.slice(0, -".test.ts".length));

  it("has a suite of its name for every model", () => {
    const models = files.filter(
      (file) =>
        relative(source, file).startsWith("models/") && algorithmNames.includes(basename(file, ".ts")),
    );
    expect(models.map((file) => basename(file, ".ts")).sort()).toEqual([...algorithmNames].sort());
    const names = models.map((file) => relative(source, file).slice(0, -".ts".length));
    expect(names.filter((name) => !suites.includes(name))).toEqual([]);
  });

  it("names every other suite after a file or folder of src/", () => {
    const listed = Object.values(crossCutting).flat();
    const elsewhere = suites
      .filter((name) => !existsSync(join(source, `${name}.ts`)) && !existsSync(join(source, name)))
      .filter((name) => !listed.includes(name));
    expect(elsewhere, "move it to the file that it tests, or list it as cross-cutting").toEqual([]);
    const counterparts = listed.filter((name) => existsSync(join(source, `${name}.ts`)));
    expect(counterparts, "listed as cross-cutting, and a file of src/ has this name").toEqual([]);
  });
});
