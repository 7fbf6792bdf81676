// Pictures in a folder, each named by the id of its item ("17.png", "17.jpg"): decoded and resized by sharp (libvips), off the
// event loop, a few at a time.

import { readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Metadata, Sharp } from "sharp";
import { throwIfAborted, UserError } from "../../core/errors.js";
import { readBytes } from "../../core/input-file.js";
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

/** What a file of any of these endings may be by its bytes, as libvips calls it. */
const formats = new Set(["png", "jpeg", "webp", "gif", "tiff", "heif", "avif"]);
const MOST_FILE_BYTES = 1 << 27;
/** Pixels that are decoded, at most: of a format that is decoded as a stream of lines, and of one that is decoded as a whole. */
const MOST_PIXELS = { streamed: 1 << 28, whole: 1 << 26 };
/** Pictures with more pixels are decoded one at a time. */
const LARGE_PIXELS = 1 << 22;

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
  /** A picture that has been looked at; undefined where it is damaged. */
  const look = async (file: string) => {
    const bytes = await readBytes(file, { most: MOST_FILE_BYTES, expected: "a picture" });
    const open = () => sharp(bytes, { autoOrient: true, pages: 1, limitInputPixels: MOST_PIXELS.streamed });
    // The limit is on what is decoded; the size alone may be had of any picture.
    const found =
      bytes.length === 0
        ? undefined
        : await sharp(bytes, { limitInputPixels: false })
            .metadata()
            .catch(() => undefined);
    if (found === undefined || !formats.has(found.format)) return undefined;
    requirePixels(file, found);
    return { open, pixels: found.width * found.height };
  };
  const decode = async (open: () => Sharp): Promise<Uint8Array | undefined> => {
    try {
      const picture = open().resize(shape.width, shape.height, { fit: "fill" }).flatten();
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
    const pictures = await Promise.all(some.map(({ file }) => look(file)));
    const isLarge = (pixels = 0) => pixels > LARGE_PIXELS;
    const decoded = await Promise.all(
      pictures.map((picture) => (picture && !isLarge(picture.pixels) ? decode(picture.open) : undefined)),
    );
    for (const [k, picture] of pictures.entries())
      if (picture && isLarge(picture.pixels)) decoded[k] = await decode(picture.open);
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

/** Throws UserError for a picture with more pixels than are decoded. */
function requirePixels(
  file: string,
  { width, height, format, isProgressive, orientation = 1 }: Metadata,
): void {
  const isStreamed = (format === "jpeg" || format === "png") && !isProgressive && orientation === 1;
  const most = isStreamed ? MOST_PIXELS.streamed : MOST_PIXELS.whole;
  if (width * height > most)
    throw new UserError({
      place: file,
      problem: `the picture has ${width} x ${height} pixels`,
      expected: `at most ${Math.floor(most / 1e6)} million${isStreamed ? "" : " in a file that is decoded as a whole"}`,
      remedy: "Scale it down",
    });
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
