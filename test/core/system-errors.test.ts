import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { explain } from "../../src/cli/run.js";
import { UserError } from "../../src/core/errors.js";
import { addRemedy, isSystemFault, withSystemFault } from "../../src/core/system-errors.js";

/** An error as Node makes it. */
function nodeError(code: string, syscall: string, path?: string): NodeJS.ErrnoException {
  const errno = -(constants.errno as Record<string, number>)[code];
  return Object.assign(new Error(`${code}: as Node says it, ${syscall}`), { code, syscall, path, errno });
}

describe("a system error", () => {
  it.each([
    [
      nodeError("ENOSPC", "write"),
      "runs/a/x",
      "runs/a/x: cannot be written: the disk is full (ENOSPC). Free some disk space",
    ],
    [
      nodeError("EACCES", "open", "/etc/x"),
      undefined,
      /^\/etc\/x: cannot be opened: permission denied \(EACCES\)/,
    ],
    [nodeError("EISDIR", "read"), undefined, "cannot be read: it is a folder (EISDIR)"],
    [nodeError("EDQUOT", "fsync"), "x", /^x: cannot be written: the disk quota is exceeded \(EDQUOT\)/],
    [nodeError("EMFILE", "open", "a"), undefined, /^a: cannot be opened: too many open files.*ulimit -n/],
    [nodeError("EIO", "read", "a"), undefined, /^a: cannot be read: input\/output error \(EIO\)/],
    [
      new Error('IO Error: Could not write file "/data/t.parquet": No space left on device'),
      undefined,
      "/data/t.parquet: cannot be written: the disk is full (ENOSPC). Free some disk space",
    ],
    [
      new Error('IO Error: Cannot open file "/data/t.parquet": Permission denied'),
      undefined,
      /^\/data\/t.parquet: cannot be opened: permission denied/,
    ],
  ] as const)("is a user error of one line: %s", (error, place, message) => {
    const told = withSystemFault(error, place) as UserError;
    expect(told).toBeInstanceOf(UserError);
    if (typeof message === "string") expect(told.message).toBe(message);
    else expect(told.message).toMatch(message);
    expect(told.cause).toBe(error);
    expect(explain(place === undefined ? error : told)).toEqual({ message: told.message, code: 2 });
    expect(isSystemFault(error) && isSystemFault(told)).toBe(true);
  });

  it("adds a sentence to the remedy", () => {
    const told = addRemedy(nodeError("ENOSPC", "write", "a"), "To resume: foldin train") as Error;
    expect(told.message).toBe(
      "a: cannot be written: the disk is full (ENOSPC). Free some disk space. To resume: foldin train",
    );
  });

  it.each([
    new Error("no space in this text"),
    new TypeError("x is not a function"),
    Object.assign(new Error("refused"), { code: "ECONNREFUSED", syscall: "connect" }),
    new UserError({ problem: "something else" }),
  ])("leaves other errors unchanged: %s", (error) => {
    expect([withSystemFault(error, "a"), addRemedy(error, "again"), isSystemFault(error)]).toEqual([
      error,
      error,
      false,
    ]);
  });
});
