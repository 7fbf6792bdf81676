import { describe, expect, it } from "vitest";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { withHeldOut } from "../../src/data/with-held-out.js";
import { fromRows, rowIndices } from "../../src/sparse/csr.js";
import { vocabulary } from "../support/datasets.js";

const rows = (matrix: Parameters<typeof rowIndices>[0]) =>
  Array.from({ length: matrix.rows }, (_, row) => [...rowIndices(matrix, row)]);

describe("training on held-out users too", () => {
  const base = {
    name: "made up",
    items: vocabulary("i", 6),
    users: new Vocabulary(["a", "b"]),
    train: fromRows(6, [
      [0, 1],
      [2, 3],
    ]),
    test: {
      users: new Vocabulary(["t"]),
      foldIn: fromRows(6, [[1]]),
      heldOut: fromRows(6, [[2]]),
    },
  };

  it("adds unseen users with their complete histories", () => {
    const all = withHeldOut({
      ...base,
      validation: {
        users: new Vocabulary(["v", "nothing"]),
        foldIn: fromRows(6, [[5, 1].sort(), []]),
        heldOut: fromRows(6, [[0], []]),
      },
    });
    expect(all.users.ids).toEqual(["a", "b", "v"]);
    expect(rows(all.train)).toEqual([
      [0, 1],
      [2, 3],
      [0, 1, 5],
    ]);
    expect(all.validation.heldOut.rows).toBe(0);
    expect(all.test).toBe(base.test);
  });

  it("completes the histories of users that are training users, without counting an item twice", () => {
    const all = withHeldOut({
      ...base,
      validation: {
        users: new Vocabulary(["b"]),
        foldIn: fromRows(6, [[2, 3]]),
        heldOut: fromRows(6, [[4]]),
      },
    });
    expect(all.users.ids).toEqual(["a", "b"]);
    expect(rows(all.train)).toEqual([
      [0, 1],
      [2, 3, 4],
    ]);
  });

  it("refuses a model that needs the times, which are not read", async () => {
    const split = { users: new Vocabulary([]), foldIn: fromRows(6, []), heldOut: fromRows(6, []) };
    const all = withHeldOut({ ...base, validation: split, trainTimes: async () => new Float64Array(4) });
    expect(all.trainTimes).toThrow(/uses times cannot be trained/);
    expect(withHeldOut({ ...base, validation: split }).trainTimes).toBeUndefined();
  });

  it("adds the test users too where that is asked for", () => {
    const all = withHeldOut(
      {
        ...base,
        validation: { users: new Vocabulary(["t"]), foldIn: fromRows(6, [[5]]), heldOut: fromRows(6, [[4]]) },
      },
      { test: true },
    );
    expect(all.users.ids).toEqual(["a", "b", "t"]);
    expect(rows(all.train)[2]).toEqual([1, 2, 4, 5]);
    expect([all.test.users.size, all.test.foldIn.rows, all.validation.heldOut.rows]).toEqual([0, 0, 0]);
  });
});
