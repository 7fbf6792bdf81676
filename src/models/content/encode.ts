// Encodes the content of many items, a block of them at a time.

import type { Engine } from "../../compute/engine.js";
import { Tape } from "../../compute/tape.js";
import type { Tensor } from "../../compute/tensor.js";
import type { ItemContent } from "../../data/content.js";
import { type ContentReader, type ContentRows, itemsWithContent, releaseBatch, toEngine } from "./batches.js";
import type { ContentReading } from "./network.js";

/** Number of items that are encoded at a time. */
const ENCODED_ROWS = 1024;

/** The content of items, in their order, a block of them at a time. */
export async function* contentInBlocks(
  reader: ContentReader,
  items: Uint32Array,
): AsyncGenerator<ContentRows> {
  for (let first = 0; first < items.length; first += ENCODED_ROWS)
    yield await reader(items.subarray(first, first + ENCODED_ROWS));
}

/** out [items, k] = theta of every item, zeros for an item without content. */
export async function encodeAll(
  engine: Engine,
  network: Pick<ContentReading, "code">,
  content: ItemContent,
  reader: ContentReader,
  out: Tensor,
): Promise<void> {
  const items = itemsWithContent(content);
  engine.fill(out, 0);
  for (let first = 0; first < items.length; first += ENCODED_ROWS) {
    const some = items.subarray(first, first + ENCODED_ROWS);
    const batch = toEngine(engine, await reader(some));
    const tape = new Tape(engine, { gradients: false });
    try {
      engine.addRows(out, network.code(tape, batch).value, some);
    } finally {
      tape.dispose();
      releaseBatch(engine, batch);
    }
    // Wait here: encoding is queued faster than it is executed.
    await engine.finished();
  }
}
