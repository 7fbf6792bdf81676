import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeFileWhole } from "../../src/core/atomic-file.js";
import { UserError } from "../../src/core/errors.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { readModelFiles, writeModelFiles } from "../../src/recommender/model-files.js";
import type { HostTensor, ModelFiles } from "../../src/recommender/recommender.js";
import { readSafetensors, writeSafetensors } from "../../src/recommender/safetensors.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldin-model-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** A file from a header (or its text) and data, made by hand as the format's description says. */
async function handmade(header: unknown, data: Uint8Array, claimed?: bigint): Promise<string> {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(json.length));
  const path = join(folder, "hand.safetensors");
  await writeFile(path, Buffer.concat([length, json, data]));
  return path;
}

describe("safetensors", () => {
  it("reads a file made by hand from the format's description", async () => {
    const data = Buffer.alloc(20);
    data.writeFloatLE(1.5, 0);
    data.writeFloatLE(-2, 4);
    data.writeUInt32LE(7, 8);
    data.writeDoubleLE(0.1, 12);
    const path = await handmade(
      {
        c: { dtype: "F64", shape: [], data_offsets: [12, 20] },
        a: { dtype: "F32", shape: [2, 1], data_offsets: [0, 8] },
        b: { dtype: "U32", shape: [1], data_offsets: [8, 12] },
        __metadata__: { note: "by hand" },
      },
      data,
    );
    const { tensors, metadata } = await readSafetensors(path);
    expect(metadata).toEqual({ note: "by hand" });
    expect(tensors).toEqual({
      a: { shape: [2, 1], data: Float32Array.of(1.5, -2) },
      b: { shape: [1], data: Uint32Array.of(7) },
      c: { shape: [], data: Float64Array.of(0.1) },
    });
  });

  it("writes what other programs read: offsets without gaps, header padded to 8 bytes", async () => {
    const path = join(folder, "x.safetensors");
    await writeFileWhole(path, (file) =>
      writeSafetensors(file, {
        b: { shape: [3], data: Float32Array.of(1, 2, 3) },
        a: { shape: [1, 1], data: Uint32Array.of(9) },
        ["__proto__"]: { shape: [0], data: new Float32Array(0) },
      }),
    );
    const bytes = await readFile(path);
    const length = Number(bytes.readBigUInt64LE());
    expect(length % 8).toBe(0);
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
    expect(header.a).toEqual({ dtype: "U32", shape: [1, 1], data_offsets: [0, 4] });
    expect(header.b).toEqual({ dtype: "F32", shape: [3], data_offsets: [4, 16] });
    expect(bytes.length).toBe(8 + length + 16);
    expect(bytes.readFloatLE(8 + length + 12)).toBe(3);
  });

  it("is read completely if a call transfers fewer bytes than a tensor has, as many, or more", async () => {
    const tensors = {
      a: { shape: [5, 3], data: Float32Array.from({ length: 15 }, (_, i) => i / 7) },
      b: { shape: [9], data: Float64Array.from({ length: 9 }, (_, i) => Math.sqrt(i)) },
    };
    const paths = [7, 8, 59, 60, 61, 72, 1 << 28].map((chunk) => ({ chunk, path: join(folder, `${chunk}`) }));
    for (const { chunk, path } of paths) {
      await writeFileWhole(path, (file) => writeSafetensors(file, tensors, {}, chunk));
      expect(await readFile(path)).toEqual(await readFile(paths[0].path));
      for (const { chunk } of paths)
        expect((await readSafetensors(path, { chunkBytes: chunk })).tensors).toEqual(tensors);
    }
  });

  it("leaves large tensors in the file until their numbers are used, whole or in pieces", async () => {
    const data = Float32Array.from({ length: 2_500_000 }, (_, i) => Math.fround(i / 7));
    const path = join(folder, "stored");
    const tensors = { a: { shape: [2_500_000], data }, b: { shape: [1], data: Float32Array.of(3) } };
    await writeFileWhole(path, (file) => writeSafetensors(file, tensors));
    const read = (await readSafetensors(path, { storedFrom: 10_000_000 })).tensors;
    expect(read.b.stored).toBeUndefined();
    expect(read.a.stored?.length).toBe(data.length);
    const joined = async ({ stored }: HostTensor) => {
      const whole = new Float32Array(data.length);
      let from = 0;
      for await (const piece of stored?.pieces() ?? []) {
        whole.set(piece, from);
        from += piece.length;
      }
      return Buffer.from(whole.buffer);
    };
    expect((await joined(read.a)).equals(Buffer.from(data.buffer))).toBe(true);
    expect(Buffer.from(read.a.data.buffer).equals(Buffer.from(data.buffer))).toBe(true);
    const again = (await readSafetensors(path, { storedFrom: 10_000_000 })).tensors.a;
    await writeFileWhole(path, (file) => writeSafetensors(file, tensors));
    expect(() => again.data).toThrow(/stored: the file has changed while it was being read/);
    await expect(joined(again)).rejects.toThrow(/has changed/);
  });

  it("reads a header of 100,000,000 bytes, the format's limit, and refuses one byte more", async () => {
    // Its header is zeros, which are not JSON. (Zeros that are written: a file of holes is refused for its holes.)
    const claiming = async (bytes: number) => {
      const path = await handmade("", new Uint8Array(bytes), BigInt(bytes));
      return readSafetensors(path).catch((error: Error) => error.message);
    };
    expect(await claiming(100_000_000)).toMatch(/a valid safetensors file: its header (?!should)/);
    expect(await claiming(100_000_001)).toContain("its header should have 100000001 bytes");
  });

  const f32 = (from: number, to: number, shape: unknown = [(to - from) / 4]) => ({
    dtype: "F32",
    shape,
    data_offsets: [from, to],
  });
  const bytes = new Uint8Array(8);
  it.each<[string, unknown, Uint8Array, bigint?]>([
    ["a header longer than the file", {}, bytes, 1n << 60n],
    ["a header of gigabytes", {}, bytes, 99_000_000n],
    ["a header that is not JSON", "{", bytes],
    ["a header that is a list", "[]", bytes],
    ["a tensor beyond the end", { a: f32(0, 1 << 30) }, bytes],
    ["a shape that multiplies beyond every number", { a: f32(0, 8, [2 ** 40, 2 ** 40]) }, bytes],
    ["a negative size", { a: f32(0, 8, [-1, -2]) }, bytes],
    ["a shape that is not a list", { a: f32(0, 8, "2") }, bytes],
    ["an unknown dtype", { a: { ...f32(0, 8), dtype: "constructor" } }, bytes],
    ["overlapping tensors", { a: f32(0, 8), b: f32(4, 8) }, bytes],
    ["a gap", { a: f32(4, 8) }, bytes],
    ["bytes that belong to nobody", { a: f32(0, 4) }, bytes],
    ["metadata that is not text", { __metadata__: { a: 1 }, a: f32(0, 8) }, bytes],
  ])("refuses %s", async (_, header, data, claimed) => {
    const path = await handmade(header, data, claimed);
    await expect(readSafetensors(path)).rejects.toThrow(/hand\.safetensors: is not a valid safetensors file/);
    await expect(readSafetensors(path)).rejects.toBeInstanceOf(UserError);
  });

  it("rejects an empty file and a missing one", async () => {
    const path = join(folder, "empty");
    await writeFile(path, "");
    await expect(readSafetensors(path)).rejects.toThrow(UserError);
    await expect(readSafetensors(join(folder, "nowhere"))).rejects.toThrow(/nowhere: there is no such file/);
  });
});

describe("a model folder", () => {
  const files: ModelFiles = {
    algorithm: "some-model",
    config: { hidden: [600], latent: 200 },
    tensors: { weight: { shape: [1, 3], data: Float32Array.of(1, -0, 1e-30) } },
    items: new Vocabulary(["10", "9", "x"], ["Ten", null, "Ex"]),
  };

  it("is read as it was written", async () => {
    await writeModelFiles(folder, files);
    const back = await readModelFiles(folder);
    expect({ ...back, items: undefined }).toEqual({ ...files, items: undefined });
    expect(back.items.ids).toEqual(files.items.ids);
    expect(back.items.titles).toEqual(files.items.titles);
    await writeModelFiles(folder, { ...files, items: new Vocabulary(["1", "2", "3"]) });
    expect((await readModelFiles(folder)).items.titles).toBeUndefined();
  });

  it("keep the popularity of the items, and are read without it", async () => {
    const popularity = { users: 9, counts: Uint32Array.of(9, 0, 4) };
    const items = new Vocabulary(["1", "2", "3"]).withPopularity(popularity);
    await writeModelFiles(folder, { ...files, items });
    expect((await readModelFiles(folder)).items.popularity).toEqual(popularity);
    await rm(join(folder, "popularity.safetensors"));
    expect((await readModelFiles(folder)).items.popularity).toBeUndefined();
    const damaged = {
      users: { shape: [1], data: Uint32Array.of(8) },
      counts: { shape: [3], data: popularity.counts },
    };
    await writeFileWhole(join(folder, "popularity.safetensors"), (file) => writeSafetensors(file, damaged));
    await expect(readModelFiles(folder)).rejects.toThrow(
      /popularity\.safetensors: .* number of users of 3 items/,
    );
  });

  it("says which file is missing, damaged or too new", async () => {
    await expect(readModelFiles(folder)).rejects.toThrow(
      /config\.json: there is no such file \(expected a model folder/,
    );
    await writeModelFiles(folder, files);
    await truncate(join(folder, "model.safetensors"), 100);
    await expect(readModelFiles(folder)).rejects.toThrow(/model\.safetensors: is not a valid/);
    await writeFile(join(folder, "items.json"), '{"ids":["a","a"],"titles":null}');
    await expect(readModelFiles(folder)).rejects.toThrow(/items\.json: .*twice/);
    await writeFile(join(folder, "items.json"), '{"ids":[1]}');
    await expect(readModelFiles(folder)).rejects.toThrow(/items\.json: .*ids\.0/);
    await writeFile(join(folder, "config.json"), '{"formatVersion":99,"other":1}');
    await expect(readModelFiles(folder)).rejects.toThrow(
      /format 99, newer than this version of foldin.*Update foldin/,
    );
  });
});
