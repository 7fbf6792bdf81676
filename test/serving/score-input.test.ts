import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { ItemSet } from "../../src/recommender/item-set.js";
import { readInput, writeInput } from "../../src/serving/score-input.js";
import { fromRows } from "../../src/sparse/csr.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-input-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("the input of a scoring is read as it was written, whatever its users are called", async () => {
  const users = ["1", "", 'a "quoted"\nname', "Zoë 🎬", "  spaces  "];
  const matrix = fromRows(70, [[0, 69], [], [3], [1, 2, 3], [64]]);
  const histories = { users, matrix, strangers: 0, unknownItems: 0 };
  for (const allowed of [undefined, ItemSet.of(70, [0, 5, 69])]) {
    const path = join(folder, "input.safetensors");
    await writeInput(path, { histories, allowed });
    const read = await readInput(path);
    expect(read.histories).toEqual({ users, matrix });
    expect(read.allowed?.words).toEqual(allowed?.words);
    expect(read.allowed?.size).toBe(allowed?.size);
  }
  const damaged = join(folder, "damaged.safetensors");
  writeFileSync(damaged, "not tensors");
  await expect(readInput(damaged)).rejects.toThrow(/damaged\.safetensors/);
});
