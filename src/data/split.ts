// Splits interactions by protocol: strong and weak generalisation, temporal, leave-last-out, given, and the notebooks' shared
// block of items. A protocol assigns a part to every row and numbers users and items; the tables follow from that.

import { UserError } from "../core/errors.js";
import { NumpyRandom } from "../core/numpy-random.js";
import type { Interactions } from "./interactions.js";
import type { ProtocolOptions } from "./protocol.js";
import { groupRows, looked, presentCodes } from "./row-buckets.js";
import { dateInUnit, summariseTimes } from "./times.js";

/** The part of a row. Fold-in rows of users who are also trained on have no mark of their own: they are the earlier rows. */
export const part = {
  dropped: 0,
  train: 1,
  validationFoldIn: 2,
  validationHeldOut: 3,
  testFoldIn: 4,
  testHeldOut: 5,
} as const;

/** The split that a user belongs to. */
export const userSplits = ["train", "validation", "test"] as const;

export interface Split {
  /** [rows of the interactions]: one of `part`. */
  readonly parts: Uint8Array;
  /** [users of the dataset]: the user's code in the interactions; training users first. */
  readonly users: Uint32Array;
  /** [users of the dataset]: an index of `userSplits`. */
  readonly splitOf: Uint8Array;
  /** [items of the dataset]: the item's code in the interactions. */
  readonly items: Uint32Array;
  /**
   * Whether users are evaluated on later rows of their own. If so, their training rows are folded in for validation, and their
   * training and validation rows for the test.
   */
  readonly sharedUsers: boolean;
  /** The shared users' validation rows are taken from their test rows: the test then folds in the training rows only. */
  readonly validationOfTest?: boolean;
  /** Rows that the protocol could not use, by reason. */
  readonly lost: Readonly<Record<"validation" | "test", Lost>>;
}

interface Lost {
  /** Rows whose item has no training row. */
  unknownItems: number;
  /** Rows of users without fold-in items (or with too few, if a minimum is set). */
  coldUsers: number;
}

/** Splits interactions (filtered, without duplicates). Throws UserError if the protocol cannot be applied to them. */
export function splitInteractions(interactions: Interactions, options: ProtocolOptions): Split {
  switch (options.protocol) {
    case "strong":
      return strong(interactions, options);
    case "weak":
      return weak(interactions, options);
    case "temporal":
      return temporal(interactions, options);
    case "leave-last-out":
      return leaveLastOut(interactions, options);
    case "notebook":
      return notebook(interactions, options);
    case "given":
      return given(interactions, options);
    default:
      return options satisfies never;
  }
}

type ItemChoice = Options<"strong">["items"];
type Options<Name> = Extract<ProtocolOptions, { protocol: Name }>;

/**
 * Liang et al. 2018 (dawenl/vae_cf, VAE_ML20M_WWW2018.ipynb): users are sorted by id and permuted; the last ones are for the
 * test, those before for validation. For each of the two, the generator is restarted with the seed and draws once per user, in
 * ascending order of id.
 */
function strong(interactions: Interactions, options: Options<"strong">): Split {
  const random = new NumpyRandom(options.seed);
  const users = permuted(presentUsers(interactions), random);
  const splitOf = divideUsers(users.length, options);
  const { userOf } = interactions;
  const parts = new Uint8Array(userOf.length);
  const splitByCode = new Uint8Array(interactions.users.size);
  const partByCode = new Uint8Array(interactions.users.size);
  const foldInOf = [part.train, part.validationFoldIn, part.testFoldIn];
  for (let index = 0; index < users.length; index++) {
    splitByCode[users[index]] = splitOf[index];
    partByCode[users[index]] = foldInOf[splitOf[index]];
  }
  for (let row = 0; row < parts.length; row++) parts[row] = partByCode[userOf[row]];
  const { items, lost } = numberItems(interactions, parts, options.items);

  const rows = evaluatedRows(parts);
  const codes = new Uint32Array(rows.length);
  for (let k = 0; k < rows.length; k++) codes[k] = userOf[rows[k]];
  const byUser = groupRows(codes, interactions.users.size);
  const known: number[] = [];
  for (const split of [1, 2]) {
    random.reseed(options.seed);
    const heldOut = split === 1 ? part.validationHeldOut : part.testHeldOut;
    for (let user = 0; user < interactions.users.size; user++) {
      if (splitByCode[user] !== split) continue;
      known.length = 0;
      for (let k = byUser.offsets[user]; k < byUser.offsets[user + 1]; k++) known.push(rows[byUser.rows[k]]);
      if (known.length === 0 || known.length < options.heldOutMinimum) continue;
      const chosen = random.choice(known.length, Math.trunc(options.heldOutShare * known.length));
      for (const place of chosen) parts[known[place]] = heldOut;
    }
  }
  return { parts, users, splitOf, items, sharedUsers: false, lost };
}

/** The fold-in rows of users who are not trained on, ascending. */
function evaluatedRows(parts: Uint8Array): Uint32Array {
  const rows = new Uint32Array(parts.length + 1);
  let count = 0;
  for (let row = 0; row < parts.length; row++) {
    // Without a branch, which would often be predicted wrongly.
    rows[count] = row;
    count += parts[row] > part.train ? 1 : 0;
  }
  return rows.subarray(0, count);
}

/**
 * Every user is trained on. For each user, in ascending order of id, a permutation of the rows is drawn: first the training
 * rows, then validation, then test. Shares are rounded as in RecBole.
 */
function weak(interactions: Interactions, options: Options<"weak">): Split {
  const random = new NumpyRandom(options.seed);
  const parts = new Uint8Array(interactions.userOf.length);
  eachUser(interactions, (rows) => {
    const order = random.permutation(rows.length);
    const { train, validation } = weakSizes(rows.length, options);
    for (let place = 0; place < order.length; place++)
      parts[rows[order[place]]] =
        place < train ? part.train : place < train + validation ? part.validationHeldOut : part.testHeldOut;
  });
  if (options.validationOfTest !== undefined && options.trainItems === undefined)
    throw new UserError({
      place: "option validationOfTest",
      problem: "takes validation items from the test of a split by trainItems, which is not set",
      remedy: "Set trainItems too, or use validationShare",
    });
  return withValidationOfTest(interactions, parts, options);
}

function weakSizes(
  rows: number,
  { trainItems, validationShare, testShare }: Options<"weak">,
): { train: number; validation: number } {
  if (trainItems !== undefined) return { train: Math.min(trainItems, rows), validation: 0 };
  let test = Math.trunc(testShare * rows);
  let validation = Math.trunc(validationShare * rows);
  const train = () => rows - test - validation;
  if (train() > 1 && testShare > 0 && test === 0) test = 1;
  if (train() > 1 && validationShare > 0 && validation === 0) validation = 1;
  return { train: train(), validation };
}

/** The earliest rows are for training, the next for validation, the last for the test; ties are broken by row order. */
function temporal(interactions: Interactions, options: Options<"temporal">): Split {
  const times = timesOf(interactions, "temporal");
  const parts = new Uint8Array(times.length).fill(part.train);
  const byTime = (count: number, option: "testFrom" | "validationFrom", before: number): number => {
    const from = options[option];
    if (from === undefined) return Math.max(0, before - Math.trunc(count));
    const begin = typeof from === "number" ? from : inUnitOf(interactions, from, option);
    let earlier = 0;
    for (let row = 0; row < times.length; row++) if (times[row] < begin) earlier++;
    return earlier;
  };
  const testFrom = byTime(options.testShare * times.length, "testFrom", times.length);
  const validationFrom = byTime(options.validationShare * times.length, "validationFrom", testFrom);
  if (validationFrom > testFrom)
    throw new UserError({
      place: "option validationFrom",
      problem: `validation begins (${options.validationFrom}) after the test (${options.testFrom ?? "by share"})`,
    });
  if (validationFrom === 0)
    throw new UserError({
      problem: "there is no interaction before the validation period, so there is nothing to train on",
      remedy: "Choose later dates or smaller shares",
    });
  const sorted = times.slice().sort();
  markLater(times, sorted, validationFrom, parts, part.validationHeldOut);
  markLater(times, sorted, testFrom, parts, part.testHeldOut);
  return shared(interactions, parts, options.items);
}

/** Marks all rows except the `earlier` first ones by time; ties are broken by row order. */
function markLater(
  times: Float64Array,
  sorted: Float64Array,
  earlier: number,
  parts: Uint8Array,
  mark: number,
): void {
  if (earlier >= times.length) return;
  const border = sorted[earlier];
  let ties = earlier;
  while (ties > 0 && sorted[ties - 1] === border) ties--;
  let earlierTies = earlier - ties;
  for (let row = 0; row < times.length; row++)
    if (times[row] > border || (times[row] === border && earlierTies-- <= 0)) parts[row] = mark;
}

/** Each user's last interaction is for the test, the one before for validation; ties are broken by row order. */
function leaveLastOut(interactions: Interactions, options: Options<"leave-last-out">): Split {
  const times = timesOf(interactions, "leave-last-out");
  const parts = new Uint8Array(times.length).fill(part.train);
  eachUser(interactions, (rows) => {
    if (rows.length < options.heldOutMinimum) return;
    const order = rows.slice().sort((a, b) => times[a] - times[b] || a - b);
    parts[order[order.length - 1]] = part.testHeldOut;
    parts[order[order.length - 2]] = part.validationHeldOut;
  });
  return shared(interactions, parts, options.items);
}

/** The split that the source defines; users are evaluated on those of their rows that are not trained on. */
function given(interactions: Interactions, options: Options<"given">): Split {
  const { partOf } = interactions;
  if (partOf === undefined)
    throw new UserError({
      place: "protocol given",
      problem: "the source does not define training and test interactions",
      remedy: "Choose another protocol",
    });
  const parts = [part.train, part.validationHeldOut, part.testHeldOut];
  return withValidationOfTest(
    interactions,
    partOf.map((place) => parts[place]),
    options,
  );
}

/** Seed of the draw of `withValidationOfTest` where none is given. */
const VALIDATION_SEED = 98765;

/**
 * Takes a share of each user's test rows for validation: rounded down, but one where the user has two or more, and never all.
 * What remains is a random part of the test, and ranks against the same items (the validation rows are neither folded in nor
 * masked), so a user's recall on it has the whole test's for its expectation.
 */
function withValidationOfTest(
  interactions: Interactions,
  parts: Uint8Array,
  { validationOfTest: share, validationSeed, items }: Options<"weak"> | Options<"given">,
): Split {
  if (share === undefined) {
    if (validationSeed !== undefined)
      throw new UserError({
        place: "option validationSeed",
        problem: "draws the share validationOfTest, which is not set",
        remedy: "Set validationOfTest too, such as 0.1",
      });
    return shared(interactions, parts, items);
  }
  if (parts.includes(part.validationHeldOut))
    throw new UserError({
      place: "option validationOfTest",
      problem: "the source has validation interactions of its own",
      remedy: "Leave the option out",
    });
  const random = new NumpyRandom(validationSeed ?? VALIDATION_SEED);
  eachUser(interactions, (rows) => {
    const test = rows.filter((row) => parts[row] === part.testHeldOut);
    if (test.length < 2 || test.length === rows.length) return;
    const count = Math.max(1, Math.trunc(share * test.length));
    for (const place of random.choice(test.length, count)) parts[test[place]] = part.validationHeldOut;
  });
  return { ...shared(interactions, parts, items), validationOfTest: true };
}

/**
 * The Keras notebooks (their preprocessing cells): items are permuted, and users by a generator with the same seed; the first
 * items of the permutation are held out for every held-out user. All items are kept, also those without a training row.
 */
function notebook(interactions: Interactions, options: Options<"notebook">): Split {
  const present = presentCodes(interactions.itemOf, interactions.items.size);
  const items = permuted(present, new NumpyRandom(options.seed));
  const users = permuted(presentUsers(interactions), new NumpyRandom(options.seed));
  const splitOf = divideUsers(users.length, options);
  const hidden = new Uint8Array(interactions.items.size);
  for (const item of items.subarray(0, Math.ceil(options.heldOutShare * items.length))) hidden[item] = 1;

  const parts = new Uint8Array(interactions.userOf.length);
  const lost = { validation: noLoss(), test: noLoss() };
  const byUser = groupRows(interactions.userOf, interactions.users.size);
  const partOf = [
    [part.train, part.train],
    [part.validationFoldIn, part.validationHeldOut],
    [part.testFoldIn, part.testHeldOut],
  ];
  users.forEach((user, index) => {
    const split = splitOf[index];
    const rows = byUser.rows.subarray(byUser.offsets[user], byUser.offsets[user + 1]);
    let foldIn = 0;
    for (const row of rows) foldIn += 1 - hidden[interactions.itemOf[row]];
    if (split > 0 && foldIn < options.foldInMinimum) {
      lost[split === 1 ? "validation" : "test"].coldUsers += rows.length;
      return;
    }
    for (const row of rows) parts[row] = partOf[split][hidden[interactions.itemOf[row]]];
  });
  return { parts, users, splitOf, items, sharedUsers: false, lost };
}

const noLoss = (): Lost => ({ unknownItems: 0, coldUsers: 0 });

function permuted(codes: Uint32Array, random: NumpyRandom): Uint32Array {
  return random.permutation(codes.length).map((place) => codes[place]);
}

const presentUsers = ({ userOf, users }: Interactions): Uint32Array => presentCodes(userOf, users.size);

/** [users]: train first, then validation, then test, as indices of `userSplits`. */
function divideUsers(
  users: number,
  { validationUsers, testUsers }: { validationUsers: number; testUsers: number },
): Uint8Array {
  const count = (wanted: number) => (wanted < 1 ? Math.trunc(wanted * users) : wanted);
  const validation = count(validationUsers);
  const test = count(testUsers);
  if (validation + test >= users)
    throw new UserError({
      place: "options validationUsers and testUsers",
      problem: `cannot hold out ${validation} + ${test} users: only ${users} remain after filtering`,
      remedy: "Hold out fewer users, or a share such as 0.1",
    });
  const splitOf = new Uint8Array(users);
  splitOf.fill(1, users - validation - test, users - test);
  splitOf.fill(2, users - test);
  return splitOf;
}

/** Calls `visit` with the rows of each user, in ascending order of id; rows are in the order of the source. */
function eachUser({ userOf, users }: Interactions, visit: (rows: Uint32Array) => void): void {
  const byUser = groupRows(userOf, users.size);
  for (let user = 0; user < users.size; user++) {
    const rows = byUser.rows.subarray(byUser.offsets[user], byUser.offsets[user + 1]);
    if (rows.length > 0) visit(rows);
  }
}

/** Numbers the items, and drops the evaluation rows of items without a number. */
function numberItems(
  { itemOf, items }: Interactions,
  parts: Uint8Array,
  which: ItemChoice,
): { items: Uint32Array; lost: Split["lost"] } {
  const lost = { validation: noLoss(), test: noLoss() };
  if (which === "catalogue")
    return { items: Uint32Array.from({ length: items.size }, (_, code) => code), lost };
  if (which === "all") return { items: presentCodes(itemOf, items.size), lost };
  const seen = new Uint8Array(items.size);
  const order = new Uint32Array(items.size);
  let count = 0;
  for (let row = 0; row < parts.length; row++)
    if (parts[row] === part.train && seen[itemOf[row]] === 0) {
      seen[itemOf[row]] = 1;
      order[count++] = itemOf[row];
    }
  for (let row = 0; row < parts.length; row++)
    if (seen[itemOf[row]] === 0) {
      lost[parts[row] >= part.testFoldIn ? "test" : "validation"].unknownItems++;
      parts[row] = part.dropped;
    }
  return { items: order.slice(0, count), lost };
}

/** Finishes a protocol that evaluates users on later rows of their own. */
function shared(interactions: Interactions, parts: Uint8Array, which: ItemChoice): Split {
  const { userOf, users } = interactions;
  const { items, lost } = numberItems(interactions, parts, which);
  const trained = new Uint8Array(users.size);
  const validated = new Uint8Array(users.size);
  for (let row = 0; row < parts.length; row++)
    if (parts[row] === part.train) trained[userOf[row]] = 1;
    else if (parts[row] === part.validationHeldOut) validated[userOf[row]] = 1;
  const tested = new Uint8Array(users.size);
  for (let row = 0; row < parts.length; row++) {
    const user = userOf[row];
    if (parts[row] === part.testHeldOut) {
      if (trained[user] || validated[user]) tested[user] = 1;
      else {
        parts[row] = part.dropped;
        lost.test.coldUsers++;
      }
    }
  }
  for (let row = 0; row < parts.length; row++) {
    const user = userOf[row];
    // There is nothing to fold in for validation; the row is kept only if the test folds it in.
    if (parts[row] === part.validationHeldOut && !trained[user]) {
      parts[row] = tested[user] ? part.testFoldIn : part.dropped;
      if (!tested[user]) lost.validation.coldUsers++;
    }
  }
  const order: number[] = [];
  for (let user = 0; user < users.size; user++) if (trained[user]) order.push(user);
  const trainedUsers = order.length;
  for (let user = 0; user < users.size; user++) if (!trained[user] && tested[user]) order.push(user);
  const splitOf = new Uint8Array(order.length);
  splitOf.fill(2, trainedUsers);
  return { parts, users: Uint32Array.from(order), splitOf, items, sharedUsers: true, lost };
}

function timesOf({ timeOf, untimed }: Interactions, protocol: string): Float64Array {
  if (timeOf === undefined)
    throw new UserError({
      place: `protocol ${protocol}`,
      problem: "the source has no time column",
      expected: "a column such as timestamp",
      remedy: "Name it with --time",
    });
  const missing = timeOf.reduce((count, time) => count + (Number.isNaN(time) ? 1 : 0), 0);
  if (missing > 0)
    throw new UserError({
      place: untimed ?? `protocol ${protocol}`,
      problem: `${missing} of ${timeOf.length} interactions have no time; this is the first of them`,
      expected: `a time in every interaction, for the protocol "${protocol}"`,
      remedy: "Correct the column, name another one with --time, or choose another protocol",
    });
  return timeOf;
}

/** A date in the unit of the times. Throws UserError if they do not count from 1970. */
function inUnitOf(interactions: Interactions, date: string, option: string): number {
  const summary = summariseTimes(interactions);
  if (summary === undefined || summary.unit === "own")
    throw new UserError({
      place: `option ${option}`,
      problem: `${date} is a date, but the times are numbers from ${summary?.from} to ${summary?.to}, too small for seconds since 1970`,
      expected: "a number in the unit of the times",
    });
  return dateInUnit(date, summary.unit);
}

/** The rows of one table of the dataset, as parallel arrays. */
export interface SplitTable {
  /** [rows]: index of the user in the dataset. */
  readonly users: Uint32Array;
  /** [rows]: index of the item in the dataset. */
  readonly items: Uint32Array;
  /** [rows]: the row of the interactions. */
  readonly source: Uint32Array;
  /** [rows]: 1 = held-out, 0 = fold-in; absent for training rows. */
  readonly heldOut?: Uint8Array;
}

/** Makes the three tables of a split. */
export class SplitTables {
  readonly #interactions: Interactions;
  readonly #split: Split;
  readonly #userIndex: Uint32Array;
  #indicesOfUsers: Uint32Array | undefined;
  readonly #itemIndex: Uint32Array;
  readonly #kept: { validation?: SplitTable; test?: SplitTable } = {};

  constructor(interactions: Interactions, split: Split) {
    this.#interactions = interactions;
    this.#split = split;
    this.#userIndex = inverse(split.users, interactions.users.size);
    this.#itemIndex = inverse(split.items, interactions.items.size);
  }

  /** Number of training rows. */
  get trainRows(): number {
    const { parts } = this.#split;
    let rows = 0;
    for (let row = 0; row < parts.length; row++) if (parts[row] === part.train) rows++;
    return rows;
  }

  /** The training rows, in the order of the source. */
  train(): SplitTable {
    return this.trainInTurn()(this.trainRows);
  }

  /** A function that returns the next training rows in the order of the source: as many as asked for, or fewer at the end. */
  trainInTurn(): (count: number) => SplitTable {
    const { parts } = this.#split;
    let row = 0;
    return (count) => {
      const source = new Uint32Array(count);
      let found = 0;
      for (; row < parts.length && found < count; row++) {
        source[found] = row;
        found += parts[row] === part.train ? 1 : 0;
      }
      const rows = source.subarray(0, found);
      return { ...this.#coordinates(rows), source: rows };
    };
  }

  /** The rows of the evaluated users, user by user, in the order of the source. */
  heldOut(which: "validation" | "test"): SplitTable {
    // The tables of held-out users are small; those of shared users are as large as the data.
    if (this.#split.sharedUsers) return this.#heldOut(which);
    this.#kept[which] ??= this.#heldOut(which);
    return this.#kept[which];
  }

  #heldOut(which: "validation" | "test"): SplitTable {
    const { parts, users, sharedUsers, validationOfTest } = this.#split;
    const { userOf } = this.#interactions;
    const heldOutPart = which === "validation" ? part.validationHeldOut : part.testHeldOut;
    const isIncluded = new Uint8Array(6);
    isIncluded[which === "validation" ? part.validationFoldIn : part.testFoldIn] = 1;
    // A user's rows are wanted if some of them are held out; without shared users, the parts say all.
    const wanted = new Uint8Array(sharedUsers ? this.#interactions.users.size : 0);
    if (sharedUsers) {
      isIncluded[part.train] = 1;
      if (which === "test" && !validationOfTest) isIncluded[part.validationHeldOut] = 1;
      for (let row = 0; row < parts.length; row++) if (parts[row] === heldOutPart) wanted[userOf[row]] = 1;
    }
    isIncluded[heldOutPart] = 1;
    const rows = new Uint32Array(parts.length + 1);
    let count = 0;
    if (sharedUsers)
      for (let row = 0; row < parts.length; row++) {
        rows[count] = row;
        count += isIncluded[parts[row]] & wanted[userOf[row]];
      }
    else
      for (let row = 0; row < parts.length; row++) {
        rows[count] = row;
        count += isIncluded[parts[row]];
      }
    // Looked up in the order of the rows, which lie one after another; only the result is rearranged.
    const inRowOrder = this.#coordinates(rows.subarray(0, count));
    const { rows: order } = groupRows(inRowOrder.users, users.length);
    const table = {
      users: new Uint32Array(count),
      items: new Uint32Array(count),
      source: order,
      heldOut: new Uint8Array(count),
    };
    for (let place = 0; place < count; place++) {
      const k = order[place];
      table.users[place] = inRowOrder.users[k];
      table.items[place] = inRowOrder.items[k];
      order[place] = rows[k];
      table.heldOut[place] = parts[rows[k]] === heldOutPart ? 1 : 0;
    }
    return table;
  }

  #coordinates(source: Uint32Array): { users: Uint32Array; items: Uint32Array } {
    const { itemOf } = this.#interactions;
    const [userIndices, itemIndex] = [this.#userIndices(), this.#itemIndex];
    const [users, items] = [new Uint32Array(source.length), new Uint32Array(source.length)];
    for (let k = 0; k < source.length; k++) {
      users[k] = userIndices[source[k]];
      items[k] = itemIndex[itemOf[source[k]]];
    }
    return { users, items };
  }

  /** [rows of the interactions]: index of the user in the dataset. */
  #userIndices(): Uint32Array {
    this.#indicesOfUsers ??= looked(this.#interactions.userOf, this.#userIndex);
    return this.#indicesOfUsers;
  }
}

function inverse(order: Uint32Array, size: number): Uint32Array {
  const index = new Uint32Array(size);
  for (let place = 0; place < order.length; place++) index[order[place]] = place;
  return index;
}
