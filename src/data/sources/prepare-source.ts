// `foldin prepare <source>`: finds the files of a known source in a folder (or downloads them), prepares them as published, and
// compares the counts with the expected ones.

import { createWriteStream, existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { isDeepStrictEqual } from "node:util";
import { refuseToOverwrite } from "../../core/atomic-folder.js";
import { throwIfAborted, UserError } from "../../core/errors.js";
import { makeFolders, removeEmptyFolders } from "../../core/folders.js";
import { removeLeftovers, withPartial } from "../../core/leftovers.js";
import { type ProgressListener, silent } from "../../core/progress.js";
import { withSystemFault } from "../../core/system-errors.js";
import type { ContentFile } from "../content/input.js";
import { type DatasetCounts, datasetFolder, type Manifest } from "../manifest.js";
import { type BuildOptions, prepareDataset } from "../prepare.js";
import { type ProtocolInput, type ProtocolOptions, parseProtocol } from "../protocol.js";
import { demoCatalogue } from "./demo.js";
import { downloadSource } from "./download.js";
import type { FileNames, KnownSource, PublishedCounts, SourceContent } from "./known-source.js";
import { largeDemo } from "./large-demo.js";
import { demoName, findSource, knownSources } from "./registry.js";

export interface PrepareSourceOptions {
  /** One of `sourceNames`. */
  source: string;
  /** The folder with the source's files, also the target of `download`. Not for the demo. */
  from?: string;
  /** Download the files that are not in `from` yet. */
  download?: boolean;
  /** Another address that holds the same files. */
  mirror?: string;
  /** The dataset folder to create. */
  out: string;
  /** Replace an existing dataset folder. */
  force?: boolean;
  /** The content of the items. Default: that of the source, if it has any. */
  content?: BuildOptions["content"];
  /** A short name. Default: that of the source. */
  name?: string;
  /**
   * Changes to the published protocol. With another protocol, only the source's `minRating` is kept. For the demo, `seed` also
   * selects the catalogue.
   */
  options?: Partial<Record<string, unknown>>;
  /** The demo only: the sizes of a generated benchmark instead of the small catalogue with plots. */
  sizes?: DemoSizes;
  progress?: ProgressListener;
  signal?: AbortSignal;
}

/** The sizes of the demo's generated benchmark. */
export interface DemoSizes {
  items: number;
  /** Default: as many as items. */
  users?: number;
  /** Default: 30 per user. */
  interactions?: number;
}

/** An expected count and the actual one. */
export interface ComparedCount {
  /** "training interactions" */
  readonly what: string;
  readonly expected: number;
  readonly actual: number;
}

export interface PreparedSource {
  readonly manifest: Manifest;
  /** The expected counts of the protocol; none for the demo. */
  readonly compared: readonly ComparedCount[];
}

/**
 * Creates the dataset folder of a known source. Differences from the expected counts are reported as notes.
 * Throws UserError for an unknown source, missing files, invalid options, or if none of the expected counts matches, and
 * everything that `prepareDataset` and `downloadSource` throw.
 */
export async function prepareSource(options: PrepareSourceOptions): Promise<PreparedSource> {
  const { out, force, progress = silent, signal } = options;
  await refuseToOverwrite(out, { force, ...datasetFolder });
  const common = { out, force, progress, signal };
  if (options.source === demoName) {
    const stray = (["from", "mirror"] as const).find((name) => options[name] !== undefined);
    if (stray ?? options.download)
      throw new UserError({
        place: `option ${stray ?? "download"}`,
        problem: "the demo is generated and has no files",
        remedy: "Omit this option",
      });
    const build = options.sizes ? largeDemoBuild(options.sizes, options.options) : demoBuild(options.options);
    const manifest = await prepareDataset({
      ...common,
      ...build,
      content: options.content,
      name: options.name ?? demoName,
    });
    return { manifest, compared: [] };
  }
  const source = findSource(options.source);
  if (options.sizes)
    throw new UserError({
      place: "sizes",
      problem: `${source.name} cannot be generated in another size`,
      expected: `the source ${demoName}`,
    });
  const folder = await sourceFolder(source, options);
  const chosen = await chooseProtocol(source, folder, options.options ?? {}, progress);
  let compared: readonly ComparedCount[] = [];
  const manifest = await withBuild(source, folder, chosen, options, (build) =>
    prepareDataset({
      ...common,
      ...build,
      name: options.name ?? source.name,
      options: chosen as ProtocolInput,
      check: (counts, protocol) => {
        compared = compare(publishedFor(source, protocol), counts);
        refuseOtherData(source, folder, compared);
      },
    }),
  );
  for (const { what, expected, actual } of compared)
    if (expected !== actual)
      progress({
        type: "note",
        text: `${source.name} differs from the published data: ${what}: ${show(actual)} instead of ${show(expected)}`,
      });
  return { manifest, compared };
}

/**
 * The folder with a known source's interactions: `from`, or the folder with the source's name in it; undefined if neither has
 * them. A folder with the name of another source belongs to that source, even if the file names are the same.
 */
export async function findSourceFolder(name: string, from: string): Promise<string | undefined> {
  const named = basename(resolve(from));
  const namedAsOther = named !== name && knownSources.some((source) => source.name === named);
  return folderOf(findSource(name), from, namedAsOther ? [] : [from]);
}

async function folderOf(source: KnownSource, from: string, own = [from]): Promise<string | undefined> {
  for (const folder of [...own, join(from, source.name)])
    if ((await findFiles(folder, source.interactions.names)).length > 0) return folder;
  return undefined;
}

/** The demo's catalogue as input for `prepareDataset` or `buildDataset`; `seed` selects catalogue and split. */
function demoBuild(options: Partial<Record<string, unknown>> = {}): BuildOptions {
  const protocol = parseProtocol(options);
  const seed = "seed" in protocol && options.seed !== undefined ? protocol.seed : undefined;
  const { films, views } = demoCatalogue({ seed });
  return {
    name: demoName,
    input: views,
    items: films.map(({ id, title, genres, year, description }) => ({
      id,
      title,
      genres: genres.join("|"),
      year,
      description,
    })),
    options: protocol as ProtocolInput,
    source: {
      name: demoName,
      generated: true,
      description: `Generated by foldin (seed ${seed ?? 1}): invented films and viewers, no observed data`,
    },
  };
}

/** The generated benchmark; `seed` selects catalogue and split. Holds out 10,000 users twice, or 10 % of fewer than 100,000 users. */
function largeDemoBuild(sizes: DemoSizes, options: Partial<Record<string, unknown>> = {}): BuildOptions {
  const { items, users = items, interactions = 30 * users } = sizes;
  const heldOut = Math.min(10_000, Math.floor(users / 10));
  const isStrong = options.protocol === undefined || options.protocol === "strong";
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const protocol = parseProtocol({
    ...(isStrong && { validationUsers: heldOut, testUsers: heldOut }),
    ...given,
  });
  const seed = "seed" in protocol && options.seed !== undefined ? protocol.seed : 1;
  try {
    const { rows, items: records } = largeDemo({ items, users, interactions, seed });
    return {
      name: demoName,
      input: rows,
      items: records,
      options: protocol as ProtocolInput,
      source: {
        name: demoName,
        generated: true,
        description: `Generated by foldin (${show(users)} users, ${show(items)} items, seed ${seed}): no observed data`,
      },
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const [name, problem] = error.message.split(": ");
    throw new UserError({ place: `--${name}`, problem });
  }
}

/** The folder with the source's interactions. */
async function sourceFolder(source: KnownSource, options: PrepareSourceOptions): Promise<string> {
  const { from, download, mirror, progress, signal } = options;
  if (from === undefined)
    throw new UserError({
      problem: `${source.name} needs a folder with its files`,
      expected: `a folder with ${source.interactions.names.join(" or ")}`,
      remedy: `${howToGet(source)} and pass --from <folder>${source.download ? "; or pass --download" : ""}`,
    });
  const folder = await folderOf(source, from);
  if (folder !== undefined) return folder;
  if (download) {
    if (source.download === undefined)
      throw new UserError({
        problem: `${source.name} cannot be downloaded: ${source.getting}`,
        remedy: `${howToGet(source)}, put ${source.interactions.names.join(" or ")} into ${from}, and pass --from ${from}`,
      });
    await downloadSource({
      source: source.name,
      homepage: source.homepage,
      download: source.download,
      folder: from,
      mirror,
      progress,
      signal,
    });
    return from;
  }
  throw new UserError({
    place: from,
    problem: existsSync(from)
      ? `there is no ${source.interactions.names.join(" or ")} in this folder`
      : "there is no such folder",
    expected: `the files of ${source.title}`,
    remedy: `${howToGet(source)}${source.download ? ", or pass --download" : ""}`,
  });
}

const howToGet = ({ homepage }: KnownSource): string => `Get its files from ${homepage}`;

/** The files that match the first name with a match. */
async function findFiles(folder: string, names: FileNames): Promise<string[]> {
  for (const name of names) {
    const place = join(folder, dirname(name));
    const [before, after] = basename(name).split("*");
    const fits = (file: string) =>
      after === undefined
        ? file === before
        : file.length >= before.length + after.length && file.startsWith(before) && file.endsWith(after);
    const found = (await readdir(place).catch(() => [])).filter(fits).sort();
    if (found.length > 0) return found.map((file) => join(place, file));
  }
  return [];
}

/** The published protocol that matches the caller's options, combined with these options. */
async function chooseProtocol(
  source: KnownSource,
  folder: string,
  requested: Partial<Record<string, unknown>>,
  progress: ProgressListener,
): Promise<Record<string, unknown>> {
  const fitting = source.protocols.filter(
    ({ options }) =>
      (requested.protocol === undefined || requested.protocol === nameOf(options)) &&
      (requested.trainItems === undefined ||
        !("trainItems" in options) ||
        requested.trainItems === options.trainItems),
  );
  const hasFiles = ({ needs = [] }: { needs?: FileNames }) =>
    needs.every((name) => existsSync(join(folder, name)));
  const chosen = fitting.find(hasFiles);
  if (chosen && chosen !== fitting[0])
    progress({
      type: "note",
      text: `${source.name}: ${fitting[0].needs?.join(" and ")} are not in ${folder}, so a new split is drawn`,
    });
  const given = Object.fromEntries(Object.entries(requested).filter(([, value]) => value !== undefined));
  if (chosen) return { ...chosen.options, ...given };
  return { minRating: source.protocols[0].options.minRating, ...given };
}

const nameOf = ({ protocol = "strong" }: ProtocolInput): string => protocol;

/** Calls `work` with the source's input for `prepareDataset`; rewritten files are removed afterwards. */
async function withBuild<T>(
  source: KnownSource,
  folder: string,
  chosen: Record<string, unknown>,
  { out, content: givenContent, progress = silent, signal }: PrepareSourceOptions,
  work: (build: BuildOptions) => Promise<T>,
): Promise<T> {
  const { interactions, items, content } = source;
  const { rewrite } = interactions;
  const files = await findFiles(folder, interactions.names);
  if (files.length === 0)
    throw new UserError({ place: folder, problem: `there is no ${interactions.names.join(" or ")}` });
  const [itemFile] = items ? await findFiles(folder, items.names) : [];
  const [contentFile] = content ? await findFiles(folder, content.names) : [];
  const description = {
    name: source.name,
    files:
      files.length > 10
        ? [`${basename(files[0])} ... (${files.length} files)`]
        : files.map((file) => basename(file)),
    description: `${source.title}, ${source.homepage}`,
  };
  const build = {
    columns: interactions.columns,
    items: items?.parse ? await items.parse(itemFile) : itemFile && { file: itemFile, ...items?.columns },
    content:
      givenContent ??
      (contentFile === undefined ? undefined : contentOf(contentFile, content?.input, folder)),
    source: description,
  };
  if (interactions.parse)
    return work({ ...build, input: await interactions.parse(files, folder, parseProtocol(chosen)) });
  if (!rewrite) return work({ ...build, input: files });

  const target = `${resolve(out)}.rows`;
  const made = await makeFolders(dirname(target));
  await removeLeftovers(target);
  try {
    return await withPartial(target, async (temporary) => {
      await mkdir(temporary);
      const rewritten = join(temporary, `${source.name}.csv`);
      const task = `rewriting ${description.files.join(", ")}`;
      progress({ type: "start", task });
      await pipeline(rewrite(files), createWriteStream(rewritten), { signal }).catch((error: unknown) => {
        throwIfAborted(signal);
        throw withSystemFault(error, temporary);
      });
      progress({ type: "end", task });
      return await work({ ...build, input: [rewritten] }).catch((error: unknown) => {
        // The rewritten file no longer exists when the message is read.
        if (!(error instanceof UserError && error.place?.includes(rewritten))) throw error;
        const { problem, expected, remedy, cause } = error;
        throw new UserError({ place: folder, problem, expected, remedy, cause });
      });
    });
  } finally {
    await removeEmptyFolders(made);
  }
}

function contentOf(file: string, input: SourceContent["input"], folder: string): ContentFile {
  const vocabulary = input?.vocabulary && join(folder, input.vocabulary);
  return { file, ...input, vocabulary: vocabulary && existsSync(vocabulary) ? vocabulary : undefined };
}

/** The expected counts for these options: all counts of a protocol, only those before the split, or only the rows. */
function publishedFor(source: KnownSource, protocol: ProtocolOptions): PublishedCounts {
  const filtering = ({ minRating, minUser, minItem, filter }: ProtocolOptions) => ({
    minRating,
    minUser,
    minItem,
    filter,
  });
  const parsed = source.protocols.map(({ options, counts }) => ({ options: parseProtocol(options), counts }));
  const same = parsed.find(({ options }) => isDeepStrictEqual(options, protocol));
  if (same) return same.counts;
  const alike = parsed.find(({ options }) => isDeepStrictEqual(filtering(options), filtering(protocol)));
  const { sourceRows } = source.protocols[0].counts;
  return { sourceRows, filtered: alike?.counts.filtered };
}

const stageNames: Readonly<Record<string, string>> = {
  sourceRows: "rows of the files",
  filtered: "after filtering, ",
  users: "training users",
  items: "items",
  interactions: "training interactions",
  validation: "validation, ",
  test: "test, ",
};
const countNames: Readonly<Record<string, string>> = {
  belowRating: "rows dropped because of their rating",
  judgedUsers: "users with held-out interactions",
  foldIn: "fold-in interactions",
  heldOut: "held-out interactions",
};

function compare(published: PublishedCounts, counts: DatasetCounts): ComparedCount[] {
  return Object.entries(published).flatMap(([stage, expected]): ComparedCount[] => {
    const actual = counts[stage as keyof DatasetCounts];
    if (typeof expected === "number" && typeof actual === "number")
      return [{ what: stageNames[stage], expected, actual }];
    if (typeof expected !== "object" || typeof actual !== "object") return [];
    return Object.entries(expected).map(([name, count]) => ({
      what: `${stageNames[stage]}${countNames[name] ?? name}`,
      expected: count,
      actual: (actual as Record<string, number>)[name],
    }));
  });
}

/** Counts that equal the requested sizes for any files: they say nothing about the source. */
const askedFor: ReadonlySet<string> = new Set(["validation, users", "test, users"]);

function refuseOtherData(source: KnownSource, folder: string, compared: readonly ComparedCount[]): void {
  const telling = compared.filter(({ what }) => !askedFor.has(what));
  if (source.changes || telling.length < 3 || telling.some(({ expected, actual }) => expected === actual))
    return;
  const [{ what, expected, actual }] = telling;
  throw new UserError({
    place: folder,
    problem: `this is not ${source.title}: none of the expected counts matches (${what}: ${show(actual)} instead of ${show(expected)})`,
    remedy: "Check the files, or prepare them as your own data: foldin prepare <files>",
  });
}

const show = (count: number): string => count.toLocaleString("en-US");
