// The histories of a scoring and the items to choose from, in one file next to the parts, so that every process that computes
// parts has exactly what the first one read, whatever it was read from.

import type { StoredTensors } from "../compute/named-tensors.js";
import { writeFileWhole } from "../core/atomic-file.js";
import type { Histories } from "../data/histories.js";
import { ItemSet } from "../recommender/item-set.js";
import { readSafetensors, writeSafetensors } from "../recommender/safetensors.js";

/** The file's name in the folder of the parts. */
export const INPUT = "input.safetensors";

export interface ScoreInput {
  readonly histories: Pick<Histories, "users" | "matrix">;
  readonly allowed: ItemSet | undefined;
}

/** Writes the file atomically. */
export async function writeInput(path: string, { histories, allowed }: ScoreInput): Promise<void> {
  const { users, matrix } = histories;
  const { offsets, indices, columns } = matrix;
  const text = new TextEncoder().encode(JSON.stringify(users));
  // There is no type for bytes: text is stored in words, filled up with spaces.
  const words = new Uint32Array(Math.ceil(text.length / 4));
  const bytes = new Uint8Array(words.buffer).fill(0x20);
  bytes.set(text);
  const tensor = (data: Uint32Array) => ({ shape: [data.length], data });
  const tensors: StoredTensors = {
    users: tensor(words),
    offsets: tensor(offsets),
    indices: tensor(indices),
    ...(allowed && { allowed: tensor(allowed.words) }),
  };
  await writeFileWhole(path, (file) => writeSafetensors(file, tensors, { columns: String(columns) }));
}

/** Reads the file. Throws UserError if it is missing or damaged. */
export async function readInput(path: string): Promise<ScoreInput> {
  const { tensors, metadata } = await readSafetensors(path);
  const words = (name: string) => tensors[name]?.data as Uint32Array | undefined;
  const [text, offsets, indices, allowed] = ["users", "offsets", "indices", "allowed"].map(words);
  if (!text || !offsets || !indices) throw new Error(`${path} is not the input of a scoring`);
  const bytes = new Uint8Array(text.buffer, text.byteOffset, text.byteLength);
  const users = JSON.parse(new TextDecoder().decode(bytes)) as string[];
  const columns = Number(metadata.columns);
  return {
    histories: { users, matrix: { rows: users.length, columns, offsets, indices } },
    allowed: allowed && new ItemSet(columns, allowed),
  };
}
