// citeulike-a and -t: libraries of articles (Wang, Chen and Li 2013). Evaluated as in CTR, CDL and CVAE: P articles of each user
// are used for training, all others are held out; articles without training interactions stay in the catalogue because models
// can use their content. The released splits are read if present, because most of them cannot be reproduced by sampling:
// docs/decisions/citeulike-splits.md.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../core/errors.js";
import { linesOf, readText } from "../../core/input-file.js";
import { givenParts, type Interaction } from "../interactions.js";
import type { ItemRecord } from "../items.js";
import type { ProtocolInput, ProtocolOptions } from "../protocol.js";
import { type Libraries, readLibraries, readLibrarySplit } from "./citeulike-files.js";
import type { KnownSource, PublishedProtocol } from "./known-source.js";

interface Facts {
  readonly name: string;
  readonly title: string;
  readonly articles: number;
  readonly users: number;
  readonly pairs: number;
  /** Per P: training pairs, held-out pairs, users with held-out articles. */
  readonly splits: readonly { perUser: number; train: number; heldOut: number; evaluated: number }[];
}

const released = (perUser: number): ProtocolInput => ({
  protocol: "given",
  trainItems: perUser,
  items: "catalogue",
});
const drawn = (perUser: number): ProtocolInput => ({
  protocol: "weak",
  trainItems: perUser,
  seed: 123,
  minUser: 0,
  items: "catalogue",
});

const splitFiles = (perUser: number | undefined): string[] =>
  ["train", "test"].map((part) => `splits/cf-${part}-${perUser}-users.dat`);

function citeULike({ name, title, articles, users, pairs, splits }: Facts): KnownSource {
  const protocol = (options: ProtocolInput, split: Facts["splits"][number]): PublishedProtocol => ({
    options,
    counts: {
      sourceRows: pairs,
      users,
      items: articles,
      interactions: split.train,
      test: { users: split.evaluated, judgedUsers: split.evaluated, heldOut: split.heldOut },
    },
    from: "the released files",
  });
  const [first, ...others] = splits.map((split) => ({
    ...protocol(released(split.perUser), split),
    needs: splitFiles(split.perUser),
  }));
  return {
    name,
    title,
    homepage: `https://github.com/js05212/${name}`,
    licence: "for research, with the citation requested on its homepage",
    interactions: {
      names: ["users.dat"],
      parse: ([file], folder, options) => readPairs(file, folder, options),
    },
    items: { names: ["titles.txt"], parse: (file) => readArticles(file, articles) },
    // Without mult.dat, the titles are the only text of citeulike-a; mult.dat has the published words.
    content: { names: ["mult.dat", "titles.txt"], input: { vocabulary: "vocabulary.dat" } },
    protocols: [first, ...others, ...splits.map((split) => protocol(drawn(split.perUser), split))],
    download: {
      address: `https://raw.githubusercontent.com/js05212/${name}/master/`,
      files: ["users.dat", "mult.dat", "vocabulary.dat"].map((path) => ({ path })),
    },
  };
}

export const citeulikeA: KnownSource = citeULike({
  name: "citeulike-a",
  title: "citeulike-a",
  articles: 16_980,
  users: 5551,
  pairs: 204_986,
  splits: [
    { perUser: 10, train: 55_510, heldOut: 149_476, evaluated: 5551 - 412 },
    { perUser: 1, train: 5551, heldOut: 199_435, evaluated: 5551 },
  ],
});

export const citeulikeT: KnownSource = citeULike({
  name: "citeulike-t",
  title: "citeulike-t",
  articles: 25_975,
  users: 7947,
  pairs: 134_860,
  splits: [
    { perUser: 10, train: 53_399, heldOut: 81_461, evaluated: 7947 - 5349 },
    { perUser: 1, train: 7947, heldOut: 126_913, evaluated: 7947 },
  ],
});

async function readPairs(
  file: string,
  folder: string,
  options: ProtocolOptions,
): Promise<Iterable<Interaction>> {
  const libraries = await readLibraries(file);
  if (options.protocol !== "given") return pairsOf([libraries]);
  const perUser = options.trainItems;
  const [train, heldOut] = splitFiles(perUser).map((name) => join(folder, name));
  if (!existsSync(train) || !existsSync(heldOut))
    throw new UserError({
      place: folder,
      problem: `the released split with ${perUser} training articles per user is missing`,
      expected: splitFiles(perUser).join(" and "),
      remedy: "Add these files, or draw a random split with --protocol weak",
    });
  const split = await readLibrarySplit(libraries, train, heldOut);
  return pairsOf([split.train, [], split.heldOut]);
}

/** Pairs of user and article; with several lists of libraries, each list is one of `givenParts`. */
function* pairsOf(parts: readonly Libraries[]): Generator<Interaction> {
  for (const [place, libraries] of parts.entries()) {
    const part = parts.length > 1 ? { part: givenParts[place] } : undefined;
    for (const [user, library] of libraries.entries())
      for (const item of library) yield { user, item, ...part };
  }
}

/** One record per article; its title is the corresponding line of `file`, if there is one. */
async function readArticles(file: string | undefined, articles: number): Promise<ItemRecord[]> {
  const ids = Array.from({ length: articles }, (_, id) => id);
  if (file === undefined) return ids.map((id) => ({ id }));
  const titles = linesOf(await readText(file, { expected: "titles, one per line" }));
  if (titles.length !== articles)
    throw new UserError({
      place: file,
      problem: `the file has ${titles.length} titles`,
      expected: `one title for each of the ${articles} articles`,
    });
  return ids.map((id) => ({ id, title: titles[id] }));
}
