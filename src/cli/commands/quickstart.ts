// foldin quickstart: prepares a generated catalogue, trains, evaluates, recommends and writes a report, in under a minute.

import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { duration } from "../../core/duration.js";
import { UserError } from "../../core/errors.js";
import { pathArgument, shellCommand } from "../../core/shell.js";
import type { DemoCatalogue, DemoFilm } from "../../data/sources/demo.js";
import type { Evaluation } from "../../evaluation/evaluate.js";
import type { CliContext } from "../context.js";
import { addEngineOptions, type EngineFlags, wholeNumber } from "../engine-options.js";
import type { Styles } from "../style.js";
import { clip, count, plural, table } from "../table.js";

/** Smaller than the paper's values, which were chosen for 20,108 films: the demo has 1,200 and must also run in plain TypeScript. */
const DEMO_OPTIONS = { hidden: [200], latent: 64, batchSize: 100 };
const METRICS = ["ndcg@100", "recall@20", "recall@50"];

interface Flags extends EngineFlags {
  epochs: number;
  out: string;
}

export function register(program: Command, context: CliContext): void {
  addEngineOptions(
    program
      .command("quickstart")
      .summary("try foldin on a generated catalogue, in a minute")
      .description(
        "Generate a catalogue of fictional films and viewers, train a Mult-VAE on it, evaluate the model against a popularity baseline, and recommend films to a new viewer.",
      )
      .option("--out <folder>", "folder for the dataset and the run", "demo")
      .option("--epochs <n>", "number of training epochs", wholeNumber(1), 20),
  ).action((flags: Flags) => quickstart(flags, context));
}

async function quickstart({ out, epochs, engine, threads }: Flags, context: CliContext): Promise<void> {
  const [
    { demoCatalogue },
    { prepareSource },
    { loadDataset },
    { train },
    { evaluate },
    { recommend },
    { openEngine },
  ] = await Promise.all([
    import("../../data/sources/demo.js"),
    import("../../data/sources/prepare-source.js"),
    import("../../data/dataset.js"),
    import("../../experiments/train.js"),
    import("../../evaluation/evaluate.js"),
    import("../../recommender/recommend.js"),
    import("../../compute/open-engine.js"),
  ]);
  const { reportOnRun } = await import("../../experiments/run-report.js");
  const { bold, dim, accent } = context.style;
  const { signal, progress } = context;
  const heading = (text: string) => context.out(`\n${accent("●")} ${bold(text)}`);
  const datasetPath = join(out, "catalogue");
  const runPath = join(out, "mult-vae");

  heading("Generate a catalogue of fictional films");
  await requireOwn(datasetPath, runPath);
  const catalogue = demoCatalogue();
  const { manifest } = await prepareSource({ source: "demo", out: datasetPath, force: true, signal });
  const { counts } = manifest;
  const dataset = await loadDataset(datasetPath, { signal });
  context.out(
    `  ${count(counts.filtered.users)} generated viewers, ${count(counts.items)} generated films, ${count(counts.filtered.interactions)} views -> ${datasetPath}`,
  );

  heading("Train a Mult-VAE");
  const opened = await openEngine({ engine, threads, onNote: context.say });
  try {
    const started = performance.now();
    const vae = await train(dataset, {
      model: "mult-vae",
      options: { ...DEMO_OPTIONS, epochs },
      engine: opened,
      out: runPath,
      force: true,
      datasetPath,
      signal,
      progress,
    });
    const seconds = (performance.now() - started) / 1000;
    context.out(`  ${plural(epochs, "epoch")} in ${duration(seconds)}, ${opened.name} engine -> ${runPath}`);
    const popularity = await train(dataset, { model: "popularity", engine: opened });

    heading(`Evaluate on ${count(counts.test.judgedUsers)} viewers who are not in the training data`);
    const how = { on: "test", metrics: METRICS, signal } as const;
    const evaluations = [await evaluate(vae, dataset, how), await evaluate(popularity, dataset, how)];
    context.out(indented(metricsTable(evaluations, dim)));

    const viewer = inventViewer(catalogue);
    const { history, items } = await recommend(
      vae,
      viewer.map(({ id }) => id),
      { k: 8 },
    );
    const filmOf = new Map(catalogue.films.map((film) => [film.id, film]));
    const row = ({ id, title }: { id: string; title: string }, place: string) => [
      dim(place),
      clip(title, 46),
      dim(filmOf.get(id)?.genres.join(", ") ?? ""),
    ];
    const columns = [{ heading: "", align: "right" as const }, { heading: "" }, { heading: "" }];
    heading("A new viewer has seen");
    context.out(
      indented(
        table(
          columns,
          history.map((item) => row(item, "·")),
        ),
      ),
    );
    heading("Recommended");
    context.out(
      indented(
        table(
          columns,
          items.map((item) => row(item, `${item.rank}.`)),
        ),
      ),
    );

    await reportOnRun(runPath, vae, dataset, { signal });
    vae.dispose();
    popularity.dispose();
    heading("Next steps");
    context.out(indented(nextSteps(runPath, datasetPath, viewer, context.style)));
  } finally {
    await opened.close();
  }
}

function metricsTable(evaluations: readonly Evaluation[], dim: (text: string) => string): string[] {
  return table(
    [{ heading: "" }, ...METRICS.map((heading) => ({ heading, align: "right" as const }))],
    evaluations.map(({ algorithm, metrics }) => [
      algorithm,
      ...METRICS.map((name) => {
        const { mean, standardError = 0 } = metrics[name];
        return `${mean.toFixed(3)} ${dim(`± ${standardError.toFixed(3)}`)}`;
      }),
    ]),
    dim,
  );
}

/** The most popular films of two strands with different genres: three of one, two of the other. */
function inventViewer({ films }: DemoCatalogue): DemoFilm[] {
  const known = films.toSorted((a, b) => b.popularity - a.popularity);
  const [first] = known;
  const second = known.find(({ genres }) => !genres.some((genre) => first.genres.includes(genre)));
  const ofStrand = (film: DemoFilm | undefined, most: number) =>
    film ? known.filter(({ strands }) => strands[0] === film.strands[0]).slice(0, most) : [];
  return [...ofStrand(first, 3), ...ofStrand(second, 2)];
}

/** Commands to copy. They use npx if npm started this process, because then foldin is not on the path. */
function nextSteps(run: string, dataset: string, viewer: readonly DemoFilm[], { dim }: Styles): string[] {
  const foldin = process.env.npm_execpath ? "npx foldin" : "foldin";
  const runs = join(dirname(run), "runs");
  const { title } = viewer.find((film) => !film.title.includes("'")) ?? viewer[0];
  const command = (...words: string[]) => `${foldin} ${shellCommand(...words)}`;
  const [runArgument, datasetArgument] = [pathArgument(run), pathArgument(dataset)];
  const options = ["--model", "mult-dae", "--epochs", "10", "--set", "batchSize=100"];
  return [
    dim(`# open the report in a browser: ${join(run, "report.html")}`),
    dim("# recommend for another history of titles or ids"),
    command("recommend", runArgument, "--history", title, "--history", "12"),
    dim("# show the data and the options of a model"),
    command("describe", datasetArgument),
    command("models", "mult-vae"),
    dim("# train and evaluate another model"),
    command("train", datasetArgument, ...options, "--out", join(runs, "dae")),
    command("evaluate", pathArgument(join(runs, "dae"))),
    dim("# use your own data: a file with one user and item per row"),
    command("prepare", "ratings.csv", "--out", "data/mine"),
    command("train", "data/mine", "--out", "runs/mine"),
  ];
}

/** Throws UserError if the folders exist and were not written by an earlier quickstart. */
async function requireOwn(datasetPath: string, runPath: string): Promise<void> {
  const { readManifest } = await import("../../data/dataset.js");
  const { readRunFolder } = await import("../../experiments/run-folder.js");
  const manifest = await readManifest(datasetPath).catch(() => undefined);
  const run = await readRunFolder(runPath).catch(() => undefined);
  const foreign =
    manifest && !manifest.source.generated
      ? datasetPath
      : run && run.config.dataset.path !== resolve(datasetPath)
        ? runPath
        : undefined;
  if (foreign !== undefined)
    throw new UserError({
      place: foreign,
      problem: "was not written by an earlier quickstart and would be replaced",
      remedy: "Choose another folder with --out",
    });
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
