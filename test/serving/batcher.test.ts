import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { AbortedError } from "../../src/core/errors.js";
import { askedOf, type RecommendOptions, recommend } from "../../src/recommender/recommend.js";
import type { Recommender } from "../../src/recommender/recommender.js";
import { Batcher, OverloadedError } from "../../src/serving/batcher.js";
import { scoring } from "../support/fixed-scores.js";

const plain = scoring(6, (history) =>
  Array.from({ length: 6 }, (_, i) => (history.includes(5 - i) ? 10 : i)),
);

/** A model that takes its time: so many milliseconds for each history. Heeds a signal or does not. */
function slow(milliseconds: number, heeds = true): Recommender & { passes: number[] } {
  const passes: number[] = [];
  return {
    ...plain,
    passes,
    score(histories, { signal } = {}) {
      const scores = plain.score(histories);
      const work = async () => {
        passes.push(histories.rows);
        for (let row = 0; row < histories.rows; row++) {
          await setTimeout(milliseconds);
          if (heeds && signal?.aborted) throw new AbortedError();
        }
      };
      return {
        ...scores,
        topK: async (...asked) => work().then(() => scores.topK(...asked)),
        at: async (...asked) => work().then(() => scores.at(...asked)),
      };
    },
  };
}

const asked = (history: string[], options?: RecommendOptions) => askedOf(plain.items, history, options);
const many = (count: number) => Promise.all(Array.from({ length: count }, (_, n) => asked([`item${n % 6}`])));

describe("a batcher", () => {
  it("answers the questions of a request in order, as the library does", async () => {
    const batcher = new Batcher(plain, { mostAtOnce: 4, mostWaiting: 1000 });
    const questions = await many(23);
    const candidates = await asked(["item1"], { candidates: ["item0", "item4"], explain: true });
    const [answers, [reasoned]] = await Promise.all([batcher.ask(questions), batcher.ask([candidates])]);
    for (const [n, { items }] of answers.entries()) {
      const alone = await recommend(plain, [`item${n % 6}`]);
      expect([...items]).toEqual(alone.items.map(({ index }) => index));
    }
    const { items } = await recommend(plain, ["item1"], { candidates: ["item0", "item4"], explain: true });
    expect([...reasoned.items]).toEqual(items.map(({ index }) => index));
    expect(reasoned.influences).toHaveLength(2);
    expect(batcher.waiting).toBe(0);
  });

  it("answers a request with one history before the rest of large ones", async () => {
    const batcher = new Batcher(slow(1), { mostAtOnce: 64, mostWaiting: 10_000 });
    const order: string[] = [];
    const note = (name: string) => () => void order.push(name);
    const large = [0, 1, 2].map(async (n) => batcher.ask(await many(100)).then(note(`large ${n}`)));
    await setTimeout(20);
    const small = batcher.ask(await many(1)).then(note("small"));
    await Promise.all([...large, small]);
    expect(order[0]).toBe("small");
  });

  it("answers other requests between the steps of an explanation", async () => {
    const batcher = new Batcher(slow(2), { mostAtOnce: 64, mostWaiting: 10_000 });
    const items = plain.items.ids.slice(0, 6);
    const order: string[] = [];
    const explained = await Promise.all(
      Array.from({ length: 4 }, () => asked(items, { explain: true, includeHistory: true })),
    );
    const explaining = batcher.ask(explained).then(() => order.push("explained"));
    await setTimeout(5);
    await batcher.ask(await many(1)).then(() => order.push("small"));
    await explaining;
    expect(order).toEqual(["small", "explained"]);
  });

  it("batches fewer questions if they are slow, and more if they are fast", async () => {
    const heavy = slow(15);
    await new Batcher(heavy, { mostAtOnce: 64, mostWaiting: 1000 }).ask(await many(40));
    expect(heavy.passes.slice(-3)).toEqual([1, 1, 1]);
    const sizes: number[] = [];
    const quick = new Batcher(plain, {
      mostAtOnce: 64,
      mostWaiting: 1000,
      onBatch: (size) => sizes.push(size),
    });
    for (let round = 0; round < 5; round++) await quick.ask(await many(200));
    expect(Math.max(...sizes)).toBe(64);
  });

  it("rejects a request that would wait too long, in questions or in time", async () => {
    const few = new Batcher(slow(5), { mostAtOnce: 64, mostWaiting: 3 });
    const first = few.ask(await many(3));
    await expect(few.ask(await many(2))).rejects.toThrow(OverloadedError);
    expect(await first).toHaveLength(3);
    expect(await few.ask(await many(5))).toHaveLength(5);

    const soon = new Batcher(slow(20), { mostAtOnce: 64, mostWaiting: 1000, longestWait: 100 });
    await soon.ask(await many(20));
    const long = soon.ask(await many(20));
    await expect(soon.ask(await many(15))).rejects.toThrow(OverloadedError);
    await long;
  });

  it("does not reject a small request because a large one is waiting", async () => {
    const batcher = new Batcher(slow(1), { mostAtOnce: 64, mostWaiting: 10 });
    const large = batcher.ask(await many(100));
    expect(await batcher.ask(await many(1))).toHaveLength(1);
    await expect(batcher.ask(await many(8))).rejects.toThrow(OverloadedError);
    await large;
  });

  it("counts an explanation as the histories that it scores", async () => {
    const batcher = new Batcher(slow(5), { mostAtOnce: 64, mostWaiting: 10 });
    const explaining = batcher.ask([await asked(plain.items.ids.slice(0, 5), { explain: true })]);
    expect(batcher.waiting).toBe(6);
    await expect(batcher.ask(await many(6))).rejects.toThrow(OverloadedError);
    await explaining;
  });

  it("drops the questions of an aborted request, and stops the model if it supports that", async () => {
    const model = slow(10);
    const batcher = new Batcher(model, { mostAtOnce: 64, mostWaiting: 1000 });
    const gone = new AbortController();
    const dropped = expect(batcher.ask(await many(300), gone.signal)).rejects.toThrow(AbortedError);
    await setTimeout(30);
    gone.abort();
    await dropped;
    const scored = model.passes.reduce((sum, size) => sum + size, 0);
    expect(scored).toBeLessThan(60);
    expect(await batcher.ask(await many(2))).toHaveLength(2);
    await expect(batcher.ask(await many(1), gone.signal)).rejects.toThrow(AbortedError);
    expect(batcher.waiting).toBe(0);
  });

  it("continues a batch that other requests wait for", async () => {
    const batcher = new Batcher(slow(10), { mostAtOnce: 64, mostWaiting: 1000 });
    const gone = new AbortController();
    const dropped = expect(batcher.ask(await many(2), gone.signal)).rejects.toThrow(AbortedError);
    const other = batcher.ask(await many(2));
    await setTimeout(15);
    gone.abort();
    await dropped;
    expect(await other).toHaveLength(2);
  });

  it("passes a failure to all requests of the batch, and to no other", async () => {
    let broken = true;
    const model: Recommender = {
      ...plain,
      score(...given) {
        if (broken) throw new Error("a kernel broke");
        return plain.score(...given);
      },
    };
    const batcher = new Batcher(model, { mostAtOnce: 64, mostWaiting: 1000 });
    await expect(batcher.ask(await many(3))).rejects.toThrow("a kernel broke");
    broken = false;
    expect(await batcher.ask(await many(3))).toHaveLength(3);
  });
});
