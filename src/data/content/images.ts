// Reads the images in a folder, which are named by the ids of their items ("17.png", "17.jpg"). sharp (libvips) decodes and
// resizes them off the event loop, a few at a time.

import { readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Metadata, Sharp } from "sharp";
import { throwIfAborted, UserError } from "../../core/errors.js";
import { readBytes } from "../../core/input-file.js";
import { type ProgressListener, silent } from "../../core/progress.js";
import type { ItemRow, WantedItems } from "./draft.js";

/** The shape of every resized image, [channels, height, width], as bytes. */
export interface ImageShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

export const defaultImageShape: ImageShape = { channels: 3, height: 32, width: 32 };

const endings = /\.(png|jpe?g|webp|gif|tiff?|avif)$/i;

/** Accepted formats, by libvips' names; the format is detected from the bytes, not from the extension. */
const formats = new Set(["png", "jpeg", "webp", "gif", "tiff", "heif", "avif"]);
const MOST_FILE_BYTES = 1 << 27;
/** The maximum number of pixels: of a format that is decoded line by line, and of one that is decoded as a whole. */
const MOST_PIXELS = { streamed: 1 << 28, whole: 1 << 26 };
/** Images with more pixels are decoded one at a time. */
const LARGE_PIXELS = 1 << 22;

/** The images in a folder, sorted by name. Throws UserError if there are none. */
export async function findImages(folder: string): Promise<{ id: string; file: string }[]> {
  const names = (await readdir(folder)).filter((name) => endings.test(name)).sort();
  if (names.length === 0)
    throw new UserError({
      place: folder,
      problem: "there are no images in this folder",
      expected: "PNG or JPEG files named by the ids of their items, such as 17.png",
    });
  return names.map((name) => ({ id: name.replace(endings, ""), file: join(folder, name) }));
}

/** Decodes the images of the items that `wanted` accepts. An image that cannot be decoded is skipped and counted as damaged. */
export async function* readImages(
  folder: string,
  wanted: WantedItems,
  shape: ImageShape,
  { progress = silent, signal }: { progress?: ProgressListener; signal?: AbortSignal },
): AsyncGenerator<ItemRow> {
  const found = await findImages(folder);
  // Images of other items are counted but not decoded.
  const images = found.filter(({ id }) => wanted.accepts(id) || wanted.take(id) !== undefined);
  const { default: sharp } = await import("sharp");
  /** Reads the metadata of an image; undefined if it is damaged. */
  const look = async (file: string) => {
    const bytes = await readBytes(file, { most: MOST_FILE_BYTES, expected: "an image" });
    const open = () => sharp(bytes, { autoOrient: true, pages: 1, limitInputPixels: MOST_PIXELS.streamed });
    // The limit applies to decoding; metadata is read of images of any size.
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
  const task = `reading the images in ${folder}`;
  progress({ type: "start", task, total: images.length, unit: "images" });
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

/** Throws UserError if an image has too many pixels. */
function requirePixels(
  file: string,
  { width, height, format, isProgressive, orientation = 1 }: Metadata,
): void {
  const isStreamed = (format === "jpeg" || format === "png") && !isProgressive && orientation === 1;
  const most = isStreamed ? MOST_PIXELS.streamed : MOST_PIXELS.whole;
  if (width * height > most)
    throw new UserError({
      place: file,
      problem: `the image has ${width} x ${height} pixels`,
      expected: `at most ${Math.floor(most / 1e6)} million${isStreamed ? "" : " for this kind of file"}`,
      remedy: "Scale it down",
    });
}

/** Converts [height, width, channels] to [channels, height, width]. */
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
