// foldin quickstart: the whole path on a generated catalogue, in under a minute: prepare, train, evaluate, recommend, report.

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

/** Smaller than the paper's options, which were chosen for 20,108 films: the demo has 1,200, and plain TypeScript must bear it too. */
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
      .summary("see it all on a generated catalogue, in a minute")
      .description(
        "Generates a catalogue of films that do not exist, trains a Mult-VAE on invented viewers, evaluates it beside popularity, and recommends films to somebody new.",
      )
      .option("--out <folder>", "where to put dataset and run", "demo")
      .option("--epochs <n>", "passes over the viewers", wholeNumber(1), 20),
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

  heading("A catalogue of films that do not exist");
  await requireOwn(datasetPath, runPath);
  const catalogue = demoCatalogue();
  const { manifest } = await prepareSource({ source: "demo", out: datasetPath, force: true, signal });
  const { counts } = manifest;
  const dataset = await loadDataset(datasetPath, { signal });
  context.out(
    `  ${count(counts.filtered.users)} generated viewers, ${count(counts.items)} generated films, ${count(counts.filtered.interactions)} views -> ${datasetPath}`,
  );

  heading("Mult-VAE learns who likes what");
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

    heading(`Evaluated on ${count(counts.test.judgedUsers)} viewers whom it never saw`);
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
    heading("Somebody new has seen");
    context.out(
      indented(
        table(
          columns,
          history.map((item) => row(item, "·")),
        ),
      ),
    );
    heading("and may like");
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
    heading("What next");
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

/** The best-known films of two strands of different genres: three of one, two of the other. */
function inventViewer({ films }: DemoCatalogue): DemoFilm[] {
  const known = films.toSorted((a, b) => b.popularity - a.popularity);
  const [first] = known;
  const second = known.find(({ genres }) => !genres.some((genre) => first.genres.includes(genre)));
  const ofStrand = (film: DemoFilm | undefined, most: number) =>
    film ? known.filter(({ strands }) => strands[0] === film.strands[0]).slice(0, most) : [];
  return [...ofStrand(first, 3), ...ofStrand(second, 2)];
}

/** Commands that work when copied: through npx where npm started us, because then nothing is on the path. */
function nextSteps(run: string, dataset: string, viewer: readonly DemoFilm[], { dim }: Styles): string[] {
  const foldin = process.env.npm_execpath ? "npx foldin" : "foldin";
  const runs = join(dirname(run), "runs");
  const { title } = viewer.find((film) => !film.title.includes("'")) ?? viewer[0];
  const command = (...words: string[]) => `${foldin} ${shellCommand(...words)}`;
  const [runArgument, datasetArgument] = [pathArgument(run), pathArgument(dataset)];
  const options = ["--model", "mult-dae", "--epochs", "10", "--set", "batchSize=100"];
  return [
    dim(`# look at the report in a browser: ${join(run, "report.html")}`),
    dim("# ask for other films, by title or id"),
    command("recommend", runArgument, "--history", title, "--history", "12"),
    dim("# look at the data, and at what can be set"),
    command("describe", datasetArgument),
    command("models", "mult-vae"),
    dim("# train another model, and evaluate it"),
    command("train", datasetArgument, ...options, "--out", join(runs, "dae")),
    command("evaluate", pathArgument(join(runs, "dae"))),
    dim("# your own data: a file with a user and an item in each row"),
    command("prepare", "ratings.csv", "--out", "data/mine"),
    command("train", "data/mine", "--out", "runs/mine"),
  ];
}

/** Throws UserError where what an earlier quickstart would have left is something else. */
async function requireOwn(datasetPath: string, runPath: string): Promise<void> {
  const { readManifest } = await import("../../data/dataset.js");
  const { readRunFolder } = await import("../../experiments/run-folder.js");
  const manifest = await readManifest(datasetPath).catch(() => undefined);
  const run = await readRunFolder(runPath).catch(() => undefined);
  const stranger =
    manifest && !manifest.source.generated
      ? datasetPath
      : run && run.config.dataset.path !== resolve(datasetPath)
        ? runPath
        : undefined;
  if (stranger !== undefined)
    throw new UserError({
      place: stranger,
      problem: "is not from an earlier quickstart, and would be replaced",
      remedy: "Choose another folder with --out",
    });
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
