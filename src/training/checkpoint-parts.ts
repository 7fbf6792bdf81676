// The part of a checkpoint that is divided among the members of a run. Each member writes the tensors of its own items to a file of
// its own; the checkpoint itself, which member 0 writes when all parts are complete, names the files and the blocks that each of
// them has. A run can therefore be resumed by any number of members.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Division } from "../compute/division.js";
import type { StoredTensors } from "../compute/named-tensors.js";
import type { HostTensor, ItemAxis, NamedTensors } from "../compute/tensor.js";
import { syncFolder, writeFileWhole } from "../core/atomic-file.js";
import { entriesOf } from "../core/atomic-folder.js";
import { UserError } from "../core/errors.js";
import { readSafetensors, writeSafetensors } from "../recommender/safetensors.js";

/** What a checkpoint says about its parts. */
export const partsSchema = z.object({
  /** The number of blocks of the catalogue. */
  blocks: z.int().min(1),
  items: z.int().min(1),
  files: z.array(
    z.object({ name: z.string().regex(/^part-[\w-]+\.safetensors$/), from: z.int(), to: z.int() }),
  ),
  /** The axis of the items of every divided tensor. */
  axes: z.record(z.string(), z.enum(["rows", "columns"])),
});
export type Parts = z.infer<typeof partsSchema>;

/** The tensors that every member has alike, and those that are divided. */
export function separated(tensors: StoredTensors): { shared: StoredTensors; divided: StoredTensors } {
  const [shared, divided]: StoredTensors[] = [{}, {}];
  for (const [name, tensor] of Object.entries(tensors)) (tensor.divided ? divided : shared)[name] = tensor;
  return { shared, divided };
}

/**
 * Writes this member's part and returns what the checkpoint says about all parts, once they are complete. Throws an error on every
 * member if one of them could not write its part.
 */
export async function writePart(
  folder: string,
  epoch: number,
  divided: StoredTensors,
  { connection, blocks, items, ownBlocks }: Division,
): Promise<Parts> {
  const [from, to] = [ownBlocks[0].block, ownBlocks[0].block + ownBlocks.length];
  const name = `part-${epoch}-${from}-${to}.safetensors`;
  let problem = "";
  try {
    await writeFileWhole(join(folder, name), (file) => writeSafetensors(file, divided));
    await syncFolder(folder);
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  const mine = { name, from, to, problem };
  const sent = await connection.gather(new TextEncoder().encode(JSON.stringify(mine)));
  const all = sent.map((bytes) => JSON.parse(new TextDecoder().decode(bytes)) as typeof mine);
  const failed = all.findIndex((one) => one.problem !== "");
  if (failed >= 0)
    throw new UserError({
      place: folder,
      problem: `process ${failed} could not write its part of the checkpoint: ${all[failed].problem}`,
      expected: "a folder that all processes can write",
    });
  const axes: Record<string, ItemAxis> = {};
  for (const [name, tensor] of Object.entries(divided)) if (tensor.divided) axes[name] = tensor.divided.axis;
  return { blocks, items, axes, files: all.map(({ name, from, to }) => ({ name, from, to })) };
}

/** Removes the parts that a checkpoint does not name. */
export async function removeOtherParts(folder: string, { files }: Parts): Promise<void> {
  const named = new Set(files.map(({ name }) => name));
  for (const name of await entriesOf(folder))
    if (name.startsWith("part-") && !named.has(name)) await rm(join(folder, name), { force: true });
}

/** The tensors of this member's items. Throws UserError if a part is missing or is not one of this catalogue. */
export async function readParts(folder: string, parts: Parts, division: Division): Promise<NamedTensors> {
  const { own, spans, items } = division;
  const tensors: Record<string, HostTensor> = {};
  for (const file of parts.files) {
    const [first, last] = [spans[file.from]?.from, spans[file.to - 1]?.to];
    const [from, to] = [Math.max(own.from, first), Math.min(own.to, last)];
    const path = join(folder, file.name);
    const damaged = (problem: string) =>
      new UserError({
        place: path,
        problem: `cannot be resumed: ${problem}`,
        remedy: "Train again with another output folder",
      });
    if (parts.items !== items || !(first < last))
      throw damaged("it belongs to another division of the items");
    if (from >= to) continue;
    const stored = await readSafetensors(path, { storedFrom: 1 });
    for (const [name, axis] of Object.entries(parts.axes)) {
      const part = stored.tensors[name];
      const along = axis === "rows" ? 0 : 1;
      const extra = part?.shape.length === 2 ? part.shape[along] - (last - first) : -1;
      if (extra < 0) throw damaged(`its tensor ${name} does not have these items`);
      const { data } = part;
      const shape = [...part.shape];
      shape[along] = own.to - own.from + extra;
      tensors[name] ??= {
        shape,
        data: new (data.constructor as new (length: number) => typeof data)(shape[0] * shape[1]),
        divided: { axis, division },
      };
      const into = tensors[name].data;
      // The items that both have, and what follows the items, which is the same in all parts.
      const copies = [
        [from - first, from - own.from, to - from],
        [last - first, own.to - own.from, extra],
      ];
      for (const [source, target, count] of copies)
        if (axis === "rows") {
          const width = shape[1];
          into.set(data.subarray(source * width, (source + count) * width), target * width);
        } else
          for (let row = 0; row < shape[0]; row++) {
            const at = row * part.shape[1] + source;
            into.set(data.subarray(at, at + count), row * shape[1] + target);
          }
    }
  }
  return tensors;
}
