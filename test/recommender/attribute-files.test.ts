// The attributes in a model folder: they come back, are read when they are used, and a damaged file is refused.

import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeFileWhole } from "../../src/core/atomic-file.js";
import { UserError } from "../../src/core/errors.js";
import { ItemAttributes, valuesOf } from "../../src/data/attributes/attributes.js";
import { encodeColumn } from "../../src/data/attributes/encode.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { ATTRIBUTES_FILE, readAttributes, writeAttributes } from "../../src/recommender/attribute-files.js";
import { readModelFiles, writeModelFiles } from "../../src/recommender/model-files.js";
import { readSafetensors, writeSafetensors } from "../../src/recommender/safetensors.js";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldin-attributes-"));
  path = join(folder, ATTRIBUTES_FILE);
});
afterEach(() => rm(folder, { recursive: true }));

const of = (name: string, type: "text" | "list" | "number" | "date" | "boolean", values: (string | null)[]) =>
  encodeColumn({ name, values }, { type }, String);
const columns = [
  of("colour", "text", ["rød", null, "😀", "rød"]),
  of("tags", "list", ["b|a", "", "a", '["x|y"]']),
  of("year", "number", ["1990", "0.1", "", "-3"]),
  of("day", "date", ["2009-09-13", null, "1600-01-01", ""]),
  of("new", "boolean", ["true", "false", "", "true"]),
];
const attributes = ItemAttributes.of(4, columns);

describe("saved attributes", () => {
  it("come back with the model", async () => {
    const items = new Vocabulary(["a", "b", "c", "d"], undefined, attributes);
    await writeModelFiles(folder, { algorithm: "x", config: {}, tensors: {}, items });
    const read = (await readModelFiles(folder)).items.attributes;
    expect(read?.described).toEqual(attributes.described);
    const found = (await read?.columns()) ?? [];
    expect(found.map(({ name, type }) => [name, type])).toEqual(
      columns.map(({ name, type }) => [name, type]),
    );
    for (const [c, column] of columns.entries())
      for (let item = 0; item < 4; item++) expect(valuesOf(found[c], item)).toEqual(valuesOf(column, item));
  });

  it("are absent for a model without them, which loads as before", async () => {
    await writeModelFiles(folder, { algorithm: "x", config: {}, tensors: {}, items: new Vocabulary(["a"]) });
    expect((await readModelFiles(folder)).items.attributes).toBeUndefined();
  });

  it("are read when they are first used, and not from a file that has changed", async () => {
    await writeAttributes(path, attributes);
    const read = await readAttributes(path, 4);
    expect(valuesOf(await read.column("year"), 0)).toEqual([1990]);
    await writeAttributes(join(folder, "other"), attributes);
    await rename(join(folder, "other"), path);
    expect(valuesOf(await read.column("year"), 3)).toEqual([-3]);
    await expect(read.column("tags")).rejects.toThrow(/has changed/);
  });

  it("of another number of items, or without a description, are refused", async () => {
    await writeAttributes(path, attributes);
    await expect(readAttributes(path, 5)).rejects.toThrow(/they are not those of 5 items/);
    await writeFileWhole(path, (file) => writeSafetensors(file, {}, { items: "4", columns: "[{}]" }));
    await expect(readAttributes(path, 4)).rejects.toThrow(/description is incomplete/);
    await writeFile(path, "not these");
    await expect(readAttributes(path, 4)).rejects.toThrow(UserError);
  });

  it.each<[string, string, (numbers: Uint32Array) => void]>([
    ["0.codes", "a code is not below 2", (codes) => codes.fill(2)],
    ["1.codes", "a code is not below 3", (codes) => codes.fill(0xffffffff)],
    ["0.ends", "the texts do not follow each other", (ends) => ends.reverse()],
    ["0.ends", "the texts do not follow each other", (ends) => ends.fill(1000)],
    ["1.offsets", "the lists do not follow each other", (offsets) => offsets.reverse()],
  ])("with a damaged %s are refused: %s", async (tensor, problem, damage) => {
    await writeAttributes(path, attributes);
    const { tensors, metadata } = await readSafetensors(path);
    damage(tensors[tensor].data as Uint32Array);
    await rm(path);
    await writeFileWhole(path, (file) => writeSafetensors(file, tensors, metadata));
    const read = await readAttributes(path, 4);
    const name = read.described[Number(tensor[0])].name;
    await expect(read.column(name)).rejects.toThrow(new RegExp(`${ATTRIBUTES_FILE}.*${problem}`));
  });
});
