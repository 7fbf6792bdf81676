import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findMpi, libraryCandidates, requireMpi } from "../../../src/compute/mpi/library.js";
import { UserError } from "../../../src/core/errors.js";
import { mpi } from "../../support/mpi.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldin-library-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the candidates for an MPI library", () => {
  it("are only the named one, if there is one", () => {
    expect(libraryCandidates({ FOLDIN_MPI: "/opt/mpi/libmpi.so" })).toEqual(["/opt/mpi/libmpi.so"]);
  });

  it("are those next to the launcher on the path, before those of the system", async () => {
    for (const [place, name] of [
      ["bin", "mpirun"],
      ["lib", "libmpi.so.40"],
    ]) {
      await mkdir(join(folder, place));
      await writeFile(join(folder, place, name), "");
    }
    const candidates = libraryCandidates({ PATH: `/nowhere:${join(folder, "bin")}` });
    expect(candidates[0]).toBe(join(folder, "lib/libmpi.so.40"));
    expect(candidates).toContain("libmpi_abi.so.1");
  });
});

describe("an MPI library", () => {
  it("that cannot be loaded is named with the variable to set", () => {
    const missing = join(folder, "libmpi.so.40");
    expect(findMpi({ FOLDIN_MPI: missing })).toEqual({ reason: expect.stringContaining(missing) });
    expect(() => requireMpi({ FOLDIN_MPI: missing })).toThrow(UserError);
    expect(() => requireMpi({ FOLDIN_MPI: missing })).toThrow("Set FOLDIN_MPI to the path");
  });

  it("is not any library", () => {
    expect(findMpi({ FOLDIN_MPI: "libc.so.6" })).toEqual({
      reason: "libc.so.6 is neither Open MPI nor libmpi_abi",
    });
  });

  it.skipIf(!mpi)("says its version and its interface", () => {
    expect(findMpi({ PATH: mpi })).toMatchObject({
      version: expect.stringMatching(/^Open MPI v\d/),
      abi: "Open MPI",
    });
  });
});
