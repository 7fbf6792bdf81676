import { expect, expectTypeOf, it } from "vitest";
import * as foldin from "../../../src/index.js";

it("the search can still be called by its former names", () => {
  expect(foldin.sweep).toBe(foldin.search);
  expectTypeOf<foldin.SweepOptions>().toEqualTypeOf<foldin.SearchOptions>();
  expectTypeOf<foldin.Sweep>().toEqualTypeOf<foldin.SearchResult>();
  expectTypeOf<foldin.SweepPoint>().toEqualTypeOf<foldin.SearchPoint>();
});
