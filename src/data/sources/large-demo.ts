// A generated benchmark of any size, up to millions of users and items. Items belong to strands of about 400, and strands to
// genres; popularity follows the Zipf-Mandelbrot law p = (rank + 50)^-0.8. A user has one to three tastes, each a strand. An
// interaction is with an item of a taste's strand (half of them), of its genre (3 in 10), or with any item, in each case in
// proportion to popularity; strands and genres are chosen in proportion to theirs, so that the shares of all interactions follow
// the same law. History lengths are log-normal. Everything is determined by the seed and the sizes.

import { RandomSequence, randomNormals, streamOf } from "../../core/philox.js";
import { type IntegerBlock, IntegerRows } from "../integer-rows.js";
import type { ItemRecord } from "../items.js";
import { Draw, demoStrands, makeTitle } from "./demo.js";

export interface LargeDemoOptions {
  readonly items: number;
  readonly users: number;
  readonly interactions: number;
  /** Default 1. */
  readonly seed?: number;
}

export interface LargeDemo {
  /** Id ("1" ...), unique title, and the strand as "genre.strand". Can be iterated repeatedly. */
  readonly items: Iterable<ItemRecord>;
  /** Grouped by user, without repetition. Users and items are numbered from 1. */
  readonly rows: IntegerRows;
  /** [items]: the strand of each item. */
  readonly strandOf: Uint32Array;
}

const ITEMS_PER_STRAND = 400;
const LEAST_HISTORY = 5;
const ROWS_PER_BLOCK = 1 << 16;
const STRAND_SHARE = 0.5;
const GENRE_SHARE = 0.3;

const largeDemoLimits = {
  items: [1000, 2 ** 25],
  users: [100, 2 ** 27],
  interactions: [1000, 2e9],
} as const;

/** The number of genres of `items` items, and of strands; strand s belongs to genre s mod genres. */
function groupsOf(items: number): { genres: number; strands: number } {
  const strands = Math.max(8, Math.round(items / ITEMS_PER_STRAND));
  return { genres: Math.round(Math.sqrt(strands)), strands };
}

/**
 * Makes the catalogue; interactions are generated when they are iterated. Throws RangeError, naming the size, for sizes out of
 * range: a mean history must have from 6 interactions to a fiftieth of the items.
 */
export function largeDemo({ items, users, interactions, seed = 1 }: LargeDemoOptions): LargeDemo {
  const sizes = { items, users, interactions };
  for (const name of ["items", "users", "interactions"] as const) {
    const [least, most] = largeDemoLimits[name];
    if (!(Number.isInteger(sizes[name]) && sizes[name] >= least && sizes[name] <= most))
      throw new RangeError(`${name}: ${sizes[name]} (expected an integer from ${least} to ${most})`);
  }
  const [least, most] = [(LEAST_HISTORY + 1) * users, Math.floor((items * users) / 50)];
  if (interactions < least || interactions > most)
    throw new RangeError(
      `interactions: ${interactions} (expected from ${least} to ${most} for these users and items)`,
    );
  const shelves = shelvesOf(items, seed);
  const lengths = historyLengths(users, interactions, items, seed);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  return {
    items: { [Symbol.iterator]: () => records(shelves, seed) },
    rows: new IntegerRows(total, () => histories(shelves, lengths, seed)),
    strandOf: shelves.strandOf,
  };
}

/** Items sorted by genre and strand, so that each group is a range of places. */
interface Shelves {
  readonly genres: number;
  /** [items] */
  readonly strandOf: Uint32Array;
  /** [items]: the item of each place. */
  readonly itemAt: Uint32Array;
  /** [items + 1]: the popularity of all earlier places. */
  readonly before: Float64Array;
  /** [strands] */
  readonly strandBegin: Uint32Array;
  readonly strandEnd: Uint32Array;
  /** [genres] */
  readonly genreBegin: Uint32Array;
  readonly genreEnd: Uint32Array;
}

function shelvesOf(items: number, seed: number): Shelves {
  const { genres, strands } = groupsOf(items);
  const ranks = new RandomSequence({ seed, step: 0, stream: streamOf("large demo popularity") }).shuffle(
    Uint32Array.from({ length: items }, (_, rank) => rank),
  );
  const draw = new RandomSequence({ seed, step: 0, stream: streamOf("large demo strands") });
  const strandOf = Uint32Array.from({ length: items }, () => draw.below(strands));
  const sizes = new Uint32Array(strands);
  for (const strand of strandOf) sizes[strand]++;
  const [strandBegin, strandEnd] = [new Uint32Array(strands), new Uint32Array(strands)];
  const [genreBegin, genreEnd] = [new Uint32Array(genres), new Uint32Array(genres)];
  let place = 0;
  for (let genre = 0; genre < genres; genre++) {
    genreBegin[genre] = place;
    for (let strand = genre; strand < strands; strand += genres) {
      strandBegin[strand] = place;
      strandEnd[strand] = place;
      place += sizes[strand];
    }
    genreEnd[genre] = place;
  }
  const itemAt = new Uint32Array(items);
  for (let item = 0; item < items; item++) itemAt[strandEnd[strandOf[item]]++] = item;
  const before = new Float64Array(items + 1);
  for (let at = 0; at < items; at++) before[at + 1] = before[at] + (ranks[itemAt[at]] + 50) ** -0.8;
  return { genres, strandOf, itemAt, before, strandBegin, strandEnd, genreBegin, genreEnd };
}

/** [users], log-normal, at least 5; their sum is `interactions` unless a length reaches half of the items. */
function historyLengths(users: number, interactions: number, items: number, seed: number): Uint32Array {
  const weights = new Float64Array(users);
  randomNormals({ seed, step: 0, stream: streamOf("large demo lengths") }, weights);
  let total = 0;
  for (let user = 0; user < users; user++) {
    weights[user] = Math.exp(0.8 * weights[user]);
    total += weights[user];
  }
  const spare = interactions - LEAST_HISTORY * users;
  const lengths = new Uint32Array(users);
  let sum = 0;
  let given = 0;
  for (let user = 0; user < users; user++) {
    sum += weights[user];
    // Rounding the running sum makes the lengths add up exactly.
    const upTo = user === users - 1 ? spare : Math.floor((sum / total) * spare);
    lengths[user] = Math.min(LEAST_HISTORY + upTo - given, items >>> 1);
    given = upTo;
  }
  return lengths;
}

function* histories(shelves: Shelves, lengths: Uint32Array, seed: number): Generator<IntegerBlock> {
  const { genres, strandOf, itemAt, before, strandBegin, strandEnd, genreBegin, genreEnd } = shelves;
  const items = itemAt.length;
  const stream = streamOf("large demo user");
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const block = {
    users: new Uint32Array(ROWS_PER_BLOCK + longest),
    items: new Uint32Array(ROWS_PER_BLOCK + longest),
  };
  /** The last user (from 1) with this item. */
  const seenBy = new Uint32Array(items);
  const strands = new Uint32Array(3);
  let rows = 0;
  for (let user = 0; user < lengths.length; user++) {
    const draw = new RandomSequence({ seed, step: user, stream });
    /** A place in [begin, end), in proportion to popularity. */
    const placeIn = (begin: number, end: number): number => {
      const wanted = before[begin] + ((draw.word() + 0.5) / 2 ** 32) * (before[end] - before[begin]);
      let [low, high] = [begin, end - 1];
      while (low < high) {
        const middle = (low + high + 1) >>> 1;
        if (before[middle] <= wanted) low = middle;
        else high = middle - 1;
      }
      return low;
    };
    const tastes = 1 + draw.below(3);
    for (let taste = 0; taste < tastes; taste++) strands[taste] = strandOf[itemAt[placeIn(0, items)]];
    for (let n = 0; n < lengths[user]; n++) {
      const strand = strands[draw.below(tastes)];
      const kind = draw.uniform();
      let place = 0;
      for (let attempt = 0; ; attempt++) {
        // A strand that the user knows completely does not stop the search.
        if (attempt >= 20) place = placeIn(0, items);
        else if (kind < STRAND_SHARE) place = placeIn(strandBegin[strand], strandEnd[strand]);
        else if (kind < STRAND_SHARE + GENRE_SHARE)
          place = placeIn(genreBegin[strand % genres], genreEnd[strand % genres]);
        else place = placeIn(0, items);
        if (attempt >= 100) while (seenBy[itemAt[place]] === user + 1) place = (place + 1) % items;
        if (seenBy[itemAt[place]] !== user + 1) break;
      }
      const item = itemAt[place];
      seenBy[item] = user + 1;
      block.users[rows] = user + 1;
      block.items[rows++] = item + 1;
    }
    if (rows < ROWS_PER_BLOCK && user < lengths.length - 1) continue;
    yield { users: block.users.subarray(0, rows), items: block.items.subarray(0, rows) };
    rows = 0;
  }
}

function* records({ genres, strandOf }: Shelves, seed: number): Generator<ItemRecord> {
  for (let item = 0; item < strandOf.length; item++) {
    const strand = strandOf[item];
    const title = makeTitle([strand % demoStrands.length], new Draw(seed, item, "large demo title"));
    yield { id: item + 1, title: `${title} No. ${item + 1}`, strand: `${strand % genres}.${strand}` };
  }
}
