import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NumpyRandom } from "../../../src/core/numpy-random.js";
import {
  type Libraries,
  readLibraries,
  readLibrarySplit,
} from "../../../src/data/sources/citeulike-files.js";
import { realData } from "../../support/real-data.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "foldin-citeulike-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}
const lists = (libraries: Libraries) => libraries.map((library) => [...library]);
const total = (libraries: Libraries) => libraries.reduce((sum, library) => sum + library.length, 0);
const empty = (libraries: Libraries) => libraries.filter((library) => library.length === 0).length;
/** Seed 123, one permutation per user: the first article of each. */
const firstDrawn = (libraries: Libraries): Libraries => {
  const random = new NumpyRandom(123);
  return libraries.map((library) => Uint32Array.of(library[random.permutation(library.length)[0]]));
};
const different = (libraries: Libraries) => new Set(lists(libraries).flat()).size;

describe("citeulike files", () => {
  it("hold one library a line, the last one perhaps without a newline", async () => {
    expect(lists(await readLibraries(file("users.dat", "2 7 3\n0\n1 5")))).toEqual([[7, 3], [], [5]]);
  });

  it.each([
    ["2 7\n", /users\.dat:1: cannot read the line "2 7"/],
    ["1 4\nx\n", /users\.dat:2/],
    ["1 -4\n", /users\.dat:1/],
  ])("are refused with file and line: %j", async (text, message) => {
    await expect(readLibraries(file("users.dat", text))).rejects.toThrow(message);
  });

  it("are refused where a released split does not divide the libraries", async () => {
    const libraries = [Uint32Array.of(1, 2), Uint32Array.of(3)];
    const train = file("train.dat", "1 2\n1 3\n");
    await expect(readLibrarySplit(libraries, train, file("test.dat", "1 1\n"))).rejects.toThrow(/1 lines/);
    await expect(readLibrarySplit(libraries, train, file("test.dat", "1 4\n0\n"))).rejects.toThrow(
      /test\.dat:1: .*do not add up to the user's library/,
    );
    const split = await readLibrarySplit(libraries, train, file("test.dat", "1 1\n0\n"));
    expect([lists(split.train), lists(split.heldOut)]).toEqual([
      [[2], [3]],
      [[1], []],
    ]);
  });
});

// Counted from the files that eelxpeng/CollaborativeVAE releases.
describe.each([
  { name: "citeulike-a", users: 5551, items: 16_980, collected: 16_980, pairs: 204_986 },
  { name: "citeulike-t", users: 7947, items: 25_975, collected: 25_584, pairs: 134_860 },
])("$name", ({ name, users, items, collected, pairs }) => {
  const real = realData(name);
  const at = (path: string) => join(real ?? "", path);
  const released = (libraries: Libraries, perUser: number) =>
    readLibrarySplit(
      libraries,
      at(`splits/cf-train-${perUser}-users.dat`),
      at(`splits/cf-test-${perUser}-users.dat`),
    );

  it.skipIf(!real)("has the published counts", async () => {
    const libraries = await readLibraries(at("users.dat"));
    expect([libraries.length, different(libraries), total(libraries)]).toEqual([users, collected, pairs]);
    // The catalogue of -t has 391 articles that are in nobody's library.
    expect(
      lists(libraries)
        .flat()
        .reduce((a, b) => Math.max(a, b)),
    ).toBe(items - 1);
  });

  const cases = [
    { name: "citeulike-a", perUser: 1, train: 5551, heldOut: 199_435, untrained: 12_653, unevaluated: 0 },
    { name: "citeulike-a", perUser: 10, train: 55_510, heldOut: 149_476, untrained: 5031, unevaluated: 412 },
    { name: "citeulike-t", perUser: 1, train: 7947, heldOut: 126_913, untrained: 22_081, unevaluated: 0 },
    { name: "citeulike-t", perUser: 10, train: 53_399, heldOut: 81_461, untrained: 7563, unevaluated: 5349 },
  ].filter((each) => each.name === name);

  it.skipIf(!real).each(cases)(
    "has the published counts of its released split, P = $perUser",
    async ({ perUser, train, heldOut, untrained, unevaluated }) => {
      const split = await released(await readLibraries(at("users.dat")), perUser);
      expect([total(split.train), total(split.heldOut)]).toEqual([train, heldOut]);
      expect([items - different(split.train), empty(split.heldOut)]).toEqual([untrained, unevaluated]);
    },
  );

  // So the released files must be read, not drawn: docs/decisions/citeulike-splits.md.
  it.skipIf(!real).each(
    [
      { name: "citeulike-a", perUser: 10 },
      { name: "citeulike-t", perUser: 1 },
    ].filter((each) => each.name === name),
  )(
    "P = $perUser: the released split was not drawn: it holds every user's first articles",
    async ({ perUser }) => {
      const libraries = await readLibraries(at("users.dat"));
      const { train } = await released(libraries, perUser);
      expect(lists(train)).toEqual(lists(libraries).map((library) => library.slice(0, perUser)));
    },
  );

  if (name === "citeulike-a")
    it.skipIf(!real)("P = 1: the released split is another draw than seed 123's", async () => {
      const libraries = await readLibraries(at("users.dat"));
      const { train } = await released(libraries, 1);
      const same = (other: Libraries) =>
        train.filter((library, user) => library[0] === other[user][0]).length;
      expect(same(firstDrawn(libraries))).toBe(293); // as many as chance has it
      expect(same(libraries)).toBe(269);
    });
});
