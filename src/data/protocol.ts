// The evaluation protocols: one options object per protocol, with the published defaults. It contains everything that a split
// depends on and is stored in the dataset's manifest.

import { z } from "zod";
import { UserError } from "../core/errors.js";
import { type FilterOrder, filterOrders } from "./filter.js";

const orders = Object.keys(filterOrders) as [FilterOrder, ...FilterOrder[]];
const wholeNumber = z.number().int().min(0);
const share = z.number().min(0).lt(1);

/** A number of users, or a share of them (below 1), rounded down. */
const userCount = z
  .number()
  .min(0)
  .refine((count) => count < 1 || Number.isInteger(count), "expected a whole number, or a share below 1");

const filtering = (minItem: number, filter: FilterOrder, minUser = 5) => ({
  minRating: z.number().optional().describe("keep interactions with at least this rating; unset: keep all"),
  minUser: wholeNumber.default(minUser).describe("minimum number of interactions per user"),
  minItem: wholeNumber.default(minItem).describe("minimum number of interactions per item"),
  filter: z
    .enum(orders)
    .default(filter)
    .describe(
      `how the minimums are applied: ${orders.map((order) => `${order} = ${filterOrders[order]}`).join("; ")}`,
    ),
});

const seed = (published: number, what: string) =>
  wholeNumber.max(0xffffffff).default(published).describe(`seed of NumPy's generator, which draws ${what}`);

const items = z
  .enum(["train", "all", "catalogue"])
  .default("train")
  .describe(
    "train = the items of the training rows, numbered by first appearance; others are dropped (Liang et al. 2018); " +
      "all = every item that remains after filtering, numbered by id (for content-based models); " +
      "catalogue = the items of all and every item of the item file, numbered by id",
  );

/** Without defaults, so that a manifest names them only where they are used. */
const validationOfTest = {
  validationOfTest: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe(
      "with trainItems: validate with this share of each user's test items, rounded down, but one of two or more; " +
        "the test keeps the others and is evaluated as before: validation items are neither folded in nor masked; unset: none",
    ),
  validationSeed: wholeNumber
    .max(0xffffffff)
    .optional()
    .describe("with validationOfTest: seed of NumPy's generator, which draws that share; unset: 98765"),
};

const strongOptions = z.strictObject({
  protocol: z
    .literal("strong")
    .describe("held-out users: train on some users, fold in and evaluate the others"),
  ...filtering(0, "items-then-users"),
  seed: seed(98765, "the order of users and the held-out items of each (98765: Liang et al. 2018)"),
  validationUsers: userCount
    .default(0.1)
    .describe("held-out users to validate with: how many, or which share"),
  testUsers: userCount.default(0.1).describe("held-out users to test with: how many, or which share"),
  heldOutShare: share.default(0.2).describe("held-out share of a held-out user's items, rounded down"),
  heldOutMinimum: wholeNumber
    .default(5)
    .describe("a held-out user with fewer items keeps them all as fold-in and is not evaluated"),
  items,
});

const weakOptions = z.strictObject({
  protocol: z.literal("weak").describe("train on every user; hold out some items of each at random"),
  ...filtering(0, "items-then-users"),
  seed: seed(98765, "the held-out items of each user"),
  validationShare: share
    .default(0.1)
    .describe(
      "share of a user's items for validation, rounded down, at least one if there are enough (RecBole)",
    ),
  testShare: share.default(0.1).describe("share of a user's items for the test, rounded in the same way"),
  trainItems: wholeNumber
    .min(1)
    .optional()
    .describe(
      "instead of the shares: train on this many items of each user and test on all others (CVAE's P)",
    ),
  ...validationOfTest,
  items,
});

const date = z
  .union([z.number(), z.iso.date(), z.iso.datetime({ offset: true, local: true })])
  .describe("a date (2015-03-31), a date with a time, or a number in the source's own unit");

const temporalOptions = z.strictObject({
  protocol: z
    .literal("temporal")
    .describe("train on the past, evaluate on later interactions of the same users"),
  ...filtering(0, "items-then-users"),
  validationFrom: date.optional().describe("start of the validation period; unset: by share"),
  testFrom: date.optional().describe("start of the test period; unset: by share"),
  validationShare: share
    .default(0.1)
    .describe("share of all interactions for validation: the last ones before the test"),
  testShare: share.default(0.1).describe("share of all interactions for the test: the last ones"),
  items,
});

const leaveLastOutOptions = z.strictObject({
  protocol: z
    .literal("leave-last-out")
    .describe("test on each user's last interaction, validate on the one before it, train on the rest"),
  ...filtering(0, "items-then-users"),
  heldOutMinimum: wholeNumber.min(3).default(3).describe("users with fewer interactions are only trained on"),
  items,
});

const notebookOptions = z.strictObject({
  protocol: z
    .literal("notebook")
    .describe(
      "held-out users, and the same block of items hidden from all of them, as in the Keras notebooks",
    ),
  ...filtering(5, "simultaneous"),
  seed: seed(42, "the order of items and, restarted, the order of users (42: the notebooks)"),
  validationUsers: userCount
    .default(600)
    .describe("held-out users to validate with: how many, or which share"),
  testUsers: userCount.default(600).describe("held-out users to test with: how many, or which share"),
  heldOutShare: share
    .default(0.2)
    .describe("share of all items to hide, rounded up: the first items of the shuffled list"),
  foldInMinimum: wholeNumber
    .default(0)
    .describe("held-out users with fewer fold-in items are left out (2 in the notebooks' second version)"),
});

const givenOptions = z.strictObject({
  protocol: z
    .literal("given")
    .describe("the source defines the training and test interactions (citeulike's released splits)"),
  ...filtering(0, "items-then-users", 0),
  trainItems: wholeNumber
    .min(1)
    .optional()
    .describe("use the source's split with this many training items per user (CVAE's P)"),
  ...validationOfTest,
  items,
});

/** Every protocol by its name. */
export const protocols = {
  strong: strongOptions,
  weak: weakOptions,
  temporal: temporalOptions,
  "leave-last-out": leaveLastOutOptions,
  notebook: notebookOptions,
  given: givenOptions,
} as const;

type ProtocolName = keyof typeof protocols;

export const protocolOptions = z.discriminatedUnion("protocol", [
  strongOptions,
  weakOptions,
  temporalOptions,
  leaveLastOutOptions,
  notebookOptions,
  givenOptions,
]);

/** Options as a caller passes them; `protocol` defaults to "strong". */
export type ProtocolInput = DistributiveOptional<z.input<typeof protocolOptions>>;
type DistributiveOptional<T> = T extends { protocol: "strong" }
  ? Omit<T, "protocol"> & { protocol?: "strong" }
  : T;

/** Options with all defaults filled in. */
export type ProtocolOptions = z.output<typeof protocolOptions>;

/** Fills in the defaults. Throws UserError, naming the option, if an option is unknown or out of range. */
export function parseProtocol(input: ProtocolInput | Record<string, unknown> = {}): ProtocolOptions {
  const given: Record<string, unknown> = { protocol: "strong", ...dropUndefined(input) };
  const parsed = protocolOptions.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue.code === "unrecognized_keys")
    throw new UserError({
      place: `option ${issue.keys[0]}`,
      problem: `the protocol "${given.protocol}" has no such option`,
      expected: Object.keys(protocols[given.protocol as ProtocolName].shape)
        .filter((name) => name !== "protocol")
        .join(", "),
    });
  if (issue.path[0] === "protocol" || issue.code === "invalid_union")
    throw new UserError({
      place: `option ${issue.path.join(".") || "protocol"}`,
      problem: issue.path[0] === "protocol" ? `there is no protocol "${given.protocol}"` : issue.message,
      expected: issue.path[0] === "protocol" ? Object.keys(protocols).join(", ") : undefined,
    });
  const value = given[String(issue.path[0])];
  throw new UserError({
    place: `option ${issue.path.join(".")}`,
    problem: `${JSON.stringify(value)} is not valid`,
    expected: issue.message.replace(/^.*?expected (number to be )?/, ""),
  });
}

function dropUndefined(input: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
}
