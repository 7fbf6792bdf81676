import { describe, expect, it } from "vitest";
import { fromIntegerRows, IntegerRows } from "../../src/data/integer-rows.js";
import { fromIterable } from "../../src/data/interactions.js";

const rows = new IntegerRows(5, function* () {
  yield { users: Uint32Array.of(10, 10, 9), items: Uint32Array.of(300, 7, 7) };
  yield { users: Uint32Array.of(2, 9), items: Uint32Array.of(300, 4_000_000_000) };
});

describe("rows with integer ids", () => {
  it("are the interactions that the same rows are as objects", async () => {
    const blocks = await fromIntegerRows(rows);
    const objects = await fromIterable(rows);
    expect(blocks.users.ids).toEqual(["2", "9", "10"]);
    for (const column of ["userOf", "itemOf", "sourceRows"] as const)
      expect(blocks[column]).toEqual(objects[column]);
    expect(blocks.items.ids).toEqual(objects.items.ids);
  });

  it("can be aborted", async () => {
    const endless = new IntegerRows(Number.POSITIVE_INFINITY, function* () {
      for (;;) yield { users: new Uint32Array(1000), items: new Uint32Array(1000) };
    });
    await expect(fromIntegerRows(endless, { signal: AbortSignal.timeout(100) })).rejects.toThrow(
      "stopped on request",
    );
  });
});
