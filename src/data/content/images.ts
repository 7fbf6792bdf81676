// Pictures in a folder, each named by the id of its item ("17.png", "17.jpg"): decoded and resized by sharp (libvips), off the
// event loop, a few at a time.

import { readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { throwIfAborted, UserError } from "../../core/errors.js";
import { type ProgressListener, silent } from "../../core/progress.js";
import type { ItemRow, WantedItems } from "./draft.js";

/** What every picture becomes: [channels, height, width], bytes. */
export interface ImageShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

export const defaultImageShape: ImageShape = { channels: 3, height: 32, width: 32 };

const endings = /\.(png|jpe?g|webp|gif|tiff?|avif)$/i;

/** The pictures of a folder, by name; of two of one item the first. Throws UserError where there is none. */
export async function findImages(folder: string): Promise<{ id: string; file: string }[]> {
  const names = (await readdir(folder)).filter((name) => endings.test(name)).sort();
  if (names.length === 0)
    throw new UserError({
      place: folder,
      problem: "there is no picture in this folder",
      expected: "PNG or JPEG files named by the ids of their items, as in 17.png",
    });
  return names.map((name) => ({ id: name.replace(endings, ""), file: join(folder, name) }));
}

/** Decodes the pictures of wanted items. One that cannot be decoded is left out and counted as damaged. */
export async function* readImages(
  folder: string,
  wanted: WantedItems,
  shape: ImageShape,
  { progress = silent, signal }: { progress?: ProgressListener; signal?: AbortSignal },
): AsyncGenerator<ItemRow> {
  const found = await findImages(folder);
  // Pictures of nobody's are not decoded, only counted.
  const images = found.filter(({ id }) => wanted.wants(id) || wanted.take(id) !== undefined);
  const { default: sharp } = await import("sharp");
  const decode = async (file: string): Promise<Uint8Array | undefined> => {
    try {
      const picture = sharp(file, { autoOrient: true })
        .resize(shape.width, shape.height, { fit: "fill" })
        .flatten();
      const colours = shape.channels === 1 ? picture.toColourspace("b-w") : picture.toColourspace("srgb");
      const { data, info } = await colours.raw().toBuffer({ resolveWithObject: true });
      return channelsFirst(data, info.channels, shape);
    } catch {
      return undefined;
    }
  };
  const task = `reading the pictures in ${folder}`;
  progress({ type: "start", task, total: images.length, unit: "pictures" });
  const atOnce = 2 * availableParallelism();
  for (let from = 0; from < images.length; from += atOnce) {
    throwIfAborted(signal);
    const some = images.slice(from, from + atOnce);
    const decoded = await Promise.all(some.map(({ file }) => decode(file)));
    for (const [k, { id }] of some.entries()) {
      const row = decoded[k];
      if (row === undefined) wanted.skipped.add(id, "damaged");
      else {
        const item = wanted.take(id);
        if (item !== undefined) yield { item, row };
      }
    }
    progress({ type: "advance", task, done: from + some.length });
  }
  progress({ type: "end", task });
}

/** From pixel after pixel to channel after channel. */
function channelsFirst(
  pixels: Uint8Array,
  stride: number,
  { channels, height, width }: ImageShape,
): Uint8Array {
  const area = height * width;
  const row = new Uint8Array(channels * area);
  for (let channel = 0; channel < channels; channel++)
    for (let p = 0; p < area; p++)
      row[channel * area + p] = pixels[p * stride + Math.min(channel, stride - 1)];
  return row;
}
