import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { trimEnd } from "../../src/core/trim-end.js";

describe("trimEnd", () => {
  it("removes what an expression would", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", ";", " ", "\n", "/") }), (text) => {
        expect(trimEnd(text, "; \n")).toBe(text.replace(/[; \n]+$/, ""));
        expect(trimEnd(text, "/")).toBe(text.replace(/\/+$/, ""));
      }),
    );
  });

  it("takes a text of nothing else, and none", () => {
    expect(trimEnd("///", "/")).toBe("");
    expect(trimEnd("", "/")).toBe("");
  });
});
