import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { CollectedRows } from "../../src/data/collected-rows.js";

describe("collected rows", () => {
  it("are the pushed rows, without repeated pairs if half of the rows are repeated", () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(30), fc.nat(30), fc.nat(5)), { maxLength: 400 }),
        fc.integer({ min: 1, max: 64 }),
        (pushed, many) => {
          const rows = new CollectedRows({ many });
          pushed.forEach(([user, item, rating], k) => {
            rows.push(user, item, rating, k);
          });
          const { duplicates } = rows;
          const { userOf, itemOf, ratingOf, timeOf } = rows.take();
          expect(userOf.length + duplicates).toBe(pushed.length);
          // The first row of each pair is there, in the order of the file; what is missing is a later one.
          const places = Array.from(timeOf);
          expect(places).toEqual([...places].sort((a, b) => a - b));
          const seen = new Set<string>();
          for (const [k, [user, item]] of pushed.entries()) {
            if (!seen.has(`${user} ${item}`)) expect(places).toContain(k);
            seen.add(`${user} ${item}`);
          }
          places.forEach((k, row) => {
            expect([userOf[row], itemOf[row], ratingOf[row]]).toEqual(pushed[k]);
          });
        },
      ),
      { numRuns: 200 },
    ));

  it("stay few if most rows repeat the same pairs", () => {
    const rows = new CollectedRows({ many: 1000 });
    for (let k = 0; k < 100_000; k++) rows.push(k % 7, k % 11, undefined, undefined);
    expect(rows.length).toBeLessThan(2000);
    expect(rows.length + rows.duplicates).toBe(100_000);
  });

  it("that need more memory than is available are rejected with both numbers", () => {
    const rows = new CollectedRows({ place: "ratings.csv", available: 3_000_000, many: 10_000 });
    const push = () => {
      for (let k = 0; k < 100_000; k++) rows.push(k, k, 1, 1);
    };
    expect(push).toThrow(UserError);
    expect(push).toThrow(
      /^ratings\.csv: the first \d{2},\d{3} rows need about 4 MiB of memory, but only 3 MiB are available/,
    );
  });
});
