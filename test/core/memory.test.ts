import { afterEach, describe, expect, it, vi } from "vitest";
import { UserError } from "../../src/core/errors.js";
import {
  addressLimitOf,
  availableMemory,
  memoryVariable,
  outOfMemory,
  parseBytes,
  requireMemory,
} from "../../src/core/memory.js";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

describe("memory", () => {
  const need = (available: number) => () =>
    requireMemory({ place: "here", bytes: 2 ** 30, what: "it", alternatives: "Take less", available });

  it("is checked to the byte", () => {
    expect(need(2 ** 30)).not.toThrow();
    expect(need(2 ** 30 - 1)).toThrow(
      "here: it needs 1.0 GiB of memory, but only 1024 MiB are available. Take less",
    );
  });

  it("is bounded by the container's limit", () => {
    vi.spyOn(process.memoryUsage, "rss").mockReturnValue(300);
    const limit = vi.spyOn(process, "constrainedMemory").mockReturnValue(1000);
    expect(availableMemory()).toBe(700);
    limit.mockReturnValue(200);
    expect(availableMemory()).toBe(0);
    // Nothing limits the process.
    limit.mockReturnValue(0);
    expect(availableMemory()).toBeGreaterThan(700);
  });

  it.each([
    ["8GiB", 8 * 2 ** 30],
    ["8g", 8 * 2 ** 30],
    ["1.5 G", 1.5 * 2 ** 30],
    ["500MB", 500e6],
    ["512MiB", 2 ** 29],
    ["64k", 2 ** 16],
    ["4294967296", 2 ** 32],
  ])("is written %s", (text, bytes) => {
    expect(parseBytes(text, "here")).toBe(bytes);
  });

  it.each(["", "much", "-1G", "0GiB", "8 GiB more"])("is not written %j", (text) => {
    expect(() => parseBytes(text, "--memory")).toThrow(
      /^--memory: ".*" is not an amount of memory \(expected/,
    );
  });

  it("is bounded by the limit that the user sets, of which the process already uses a part", () => {
    vi.spyOn(process.memoryUsage, "rss").mockReturnValue(2 ** 20);
    vi.stubEnv(memoryVariable, "3MiB");
    expect(availableMemory()).toBe(2 ** 21);
    vi.stubEnv(memoryVariable, "1KiB");
    expect(availableMemory()).toBe(0);
  });

  it("is announced from 256 MiB", () => {
    const notes: unknown[] = [];
    for (const bytes of [2 ** 28 - 1, 2 ** 28])
      requireMemory({
        ...{ place: "wmf", bytes, what: "training", alternatives: "", available: 2 ** 30 },
        progress: (event) => notes.push(event),
      });
    expect(notes).toEqual([
      { type: "note", text: "wmf: training needs at least 256 MiB of memory; 1.0 GiB are available" },
    ]);
  });

  it("is bounded by ulimit -v on Linux", () => {
    const text = (limit: string) =>
      `Limit                     Soft Limit           Hard Limit           Units     \nMax address space         ${limit}           unlimited            bytes     \n`;
    expect(addressLimitOf(text("4608000000"))).toBe(4_608_000_000);
    expect(addressLimitOf(text("unlimited"))).toBe(Number.POSITIVE_INFINITY);
    expect(addressLimitOf("")).toBe(Number.POSITIVE_INFINITY);
  });

  it("that runs out is a user error, whatever code detects it", () => {
    let fromV8: unknown;
    try {
      new Float64Array(2 ** 52);
    } catch (error) {
      fromV8 = error;
    }
    for (const error of [
      fromV8,
      new Error("read failed in the native engine: out of memory: 320 MiB more"),
    ]) {
      const known = outOfMemory(error);
      expect(known).toBeInstanceOf(UserError);
      expect(known?.message).toMatch(/^out of memory: .*--min-item/);
      expect(known?.cause).toBe(error);
    }
    expect(outOfMemory(new Error("something else"))).toBeUndefined();
    expect(outOfMemory(new UserError({ problem: "out of memory: said already" }))).toBeUndefined();
    expect(outOfMemory("out of memory: a text")).toBeUndefined();
  });
});
