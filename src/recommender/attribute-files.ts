// The attributes of a saved model's items, in `attributes.safetensors`: per column its dictionary (UTF-8, packed in 32-bit words, and
// the end of each text), its codes and, for a list, its offsets; or its numbers. Only the header is read when the model is loaded,
// a column when it is first used.

import { open } from "node:fs/promises";
import { z } from "zod";
import { takeTensor } from "../compute/named-tensors.js";
import { UserError } from "../core/errors.js";
import {
  type AttributeColumn,
  type AttributeDescription,
  ItemAttributes,
} from "../data/attributes/attributes.js";
import { NO_VALUE, TextDictionary } from "../data/attributes/dictionary.js";
import { attributeTypes } from "../data/attributes/types.js";
import type { HostTensor, NamedTensors } from "./recommender.js";
import { readSafetensors, writeSafetensors } from "./safetensors.js";

export const ATTRIBUTES_FILE = "attributes.safetensors";

/** The maximum number of attributes. */
const MOST_ATTRIBUTES = 1000;

const described = z
  .array(z.object({ name: z.string(), type: z.enum(attributeTypes) }))
  .max(MOST_ATTRIBUTES)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, "a name appears twice");

/** Writes the attributes to a new file. Throws UserError if there are too many. */
export async function writeAttributes(path: string, attributes: ItemAttributes): Promise<void> {
  const columns = await attributes.columns();
  if (columns.length > MOST_ATTRIBUTES)
    throw new UserError({
      place: "items",
      problem: `the items have ${columns.length} attributes`,
      expected: `at most ${MOST_ATTRIBUTES}`,
      remedy: "Prepare the dataset with fewer columns in the items file",
    });
  const tensors: Record<string, HostTensor> = {};
  for (const [c, column] of columns.entries())
    for (const [part, data] of Object.entries(partsOf(column)))
      tensors[`${c}.${part}`] = { shape: [data.length], data };
  const metadata = { items: String(attributes.size), columns: JSON.stringify(attributes.described) };
  const file = await open(path, "w");
  try {
    await writeSafetensors(file, tensors, metadata);
    await file.sync();
  } finally {
    await file.close();
  }
}

function partsOf(column: AttributeColumn): Record<string, Uint32Array | Float64Array> {
  if ("numbers" in column) return { numbers: column.numbers };
  const { bytes, ends } = column.values;
  const text = new Uint32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(text.buffer).set(bytes);
  const { codes } = column;
  return { text, ends, codes, ...(column.type === "list" && { offsets: column.offsets }) };
}

/** The attributes in a file of a model with this number of items. Throws UserError, naming the file, if it is not valid. */
export async function readAttributes(path: string, items: number): Promise<ItemAttributes> {
  const { tensors, metadata } = await readSafetensors(path, { storedFrom: 0 });
  const damaged = (problem: string, cause?: unknown) =>
    new UserError({
      place: path,
      problem: `the item attributes are not valid: ${problem}`,
      remedy: "Copy the model again, or train it again",
      cause,
    });
  if (metadata.items !== String(items)) throw damaged(`they are not those of ${items} items`);
  const columns = parsedColumns(metadata.columns);
  if (!columns) throw damaged("their description is incomplete");
  const placeOf = (name: string) => columns.findIndex((column) => column.name === name);
  const load = async (name: string) => {
    const place = placeOf(name);
    try {
      return columnIn(tensors, place, columns[place], items);
    } catch (error) {
      throw error instanceof UserError && error.place !== path ? damaged(error.message, error) : error;
    }
  };
  return new ItemAttributes(items, columns, load, (name) =>
    Object.entries(tensors)
      .filter(([tensor]) => tensor.startsWith(`${placeOf(name)}.`))
      .reduce(
        (sum, [tensor, { stored }]) => sum + (tensor.endsWith(".numbers") ? 8 : 4) * (stored?.length ?? 0),
        0,
      ),
  );
}

function parsedColumns(json: string | undefined): AttributeDescription[] | undefined {
  try {
    return described.safeParse(JSON.parse(json ?? "")).data;
  } catch {
    return undefined;
  }
}

/** Throws UserError if the tensors are not a valid column. */
function columnIn(
  tensors: NamedTensors,
  place: number,
  { name, type }: AttributeDescription,
  items: number,
): AttributeColumn {
  if (type === "number" || type === "date") {
    const numbers = takeTensor(tensors, `${place}.numbers`, [items]);
    if (numbers instanceof Float64Array) return { name, type, numbers };
    throw new UserError({ place: `tensor ${place}.numbers`, problem: "holds float32", expected: "float64" });
  }
  const take = (part: string, length?: number) =>
    takeTensor(tensors, `${place}.${part}`, [length], "whole numbers");
  const [text, ends, codes] = [
    take("text"),
    take("ends"),
    take("codes", type === "list" ? undefined : items),
  ];
  const unsound = (part: string, problem: string) =>
    new UserError({ place: `tensor ${place}.${part}`, problem });
  if (!ascends(ends) || (ends.at(-1) ?? 0) > 4 * text.length)
    throw unsound("ends", "the texts do not follow each other");
  const values = new TextDictionary(new Uint8Array(text.buffer, text.byteOffset, text.byteLength), ends);
  if (codes.some((code) => code >= values.size && (type === "list" || code !== NO_VALUE)))
    throw unsound("codes", `a code is not below ${values.size}`);
  if (type !== "list") return { name, type, values, codes };
  const offsets = take("offsets", items + 1);
  if (offsets[0] !== 0 || !ascends(offsets) || offsets[items] !== codes.length)
    throw unsound("offsets", "the lists do not follow each other");
  return { name, type, values, offsets, codes };
}

const ascends = (numbers: Uint32Array): boolean =>
  numbers.every((end, at) => at === 0 || end >= numbers[at - 1]);
