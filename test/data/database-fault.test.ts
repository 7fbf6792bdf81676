import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { withDatabase } from "../../src/data/database.js";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-database-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

const sorted =
  "SELECT max(a) FROM (SELECT random() AS a, repeat('x', 100) || i AS b FROM range(2000000) t(i) ORDER BY b)";

describe("failures of DuckDB that the user can fix", () => {
  it("too little memory and no room to spill: names the temporary folder and --temp", async () => {
    vi.stubEnv("TMPDIR", home);
    const work = withDatabase(
      async (database) => {
        await database.run("SET max_temp_directory_size = '0KiB'");
        await database.run(sorted);
      },
      { memory: "60MB" },
    );
    await expect(work).rejects.toThrow(UserError);
    await expect(work).rejects.toThrow(
      `${home}: the data does not fit into memory, and this temporary folder has too little space for the rest. Free some space there, or choose another folder with --temp <folder>`,
    );
    expect(readdirSync(home)).toEqual([]);
  });

  it("a temporary folder that does not exist or is a file", async () => {
    for (const place of ["nowhere", "file"]) {
      writeFileSync(join(home, "file"), "");
      vi.stubEnv("TMPDIR", join(home, place));
      const work = withDatabase(async (database) => database.run("SELECT 1"), { tables: "file" });
      await expect(work).rejects.toThrow(/the temporary folder cannot be used: .*--temp <folder>/);
    }
  });

  it("an output file that cannot be written is named", async () => {
    mkdirSync(join(home, "taken"));
    const work = withDatabase(async (database) =>
      database.run(`COPY (SELECT 1) TO '${home}/missing/x.parquet' (FORMAT parquet)`),
    );
    await expect(work).rejects.toThrow(
      /missing\/x\.parquet: cannot be opened: there is no such file or folder/,
    );
  });

  it.skipIf(process.getuid?.() === 0)("a folder without permission is named", async () => {
    chmodSync(home, 0o500);
    const work = withDatabase(async (database) =>
      database.run(`COPY (SELECT 1) TO '${home}/x.parquet' (FORMAT parquet)`),
    );
    await expect(work).rejects.toThrow(/x\.parquet: cannot be opened: permission denied/);
  });

  it("any other failure is passed on unchanged", async () => {
    const work = withDatabase(async (database) => database.run("SELECT nonsense"));
    await expect(work).rejects.not.toThrow(UserError);
    await expect(work).rejects.toThrow(/nonsense/);
  });
});
