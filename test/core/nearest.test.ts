import { describe, expect, it } from "vitest";
import { nearestName } from "../../src/core/nearest.js";

describe("the nearest name", () => {
  it("is a few letters away, or contains what was typed", () => {
    expect(nearestName("mult-vea", ["mult-dae", "mult-vae", "ease"])).toBe("mult-vae");
    expect(nearestName("MULT", ["ease", "mult-vae"])).toBe("mult-vae");
    expect(nearestName("something else", ["ease"])).toBeUndefined();
  });

  it("is not searched for very long texts, which would take minutes", () => {
    const page = "ab".repeat(100_000);
    const before = process.cpuUsage();
    expect(
      nearestName(
        page,
        Array.from({ length: 20 }, (_, k) => `${page}${k}`),
      ),
    ).toBeUndefined();
    expect(process.cpuUsage(before).user).toBeLessThan(5e6);
  });
});
