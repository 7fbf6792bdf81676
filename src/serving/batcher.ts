// Batches questions from concurrent requests: one pass over the weights of a large model costs nearly the same for one
// history as for a few. No request waits for a batch to fill: an idle model takes the questions that are waiting, and
// those that arrive while it works form the next batch.
//
// Requests with many histories do not delay small ones: a batch is filled first from the requests with the fewest
// questions taken so far, and is limited to what the model answers in a few milliseconds. Explanations, which score a
// history many times, alternate with batches step by step.

import { AbortedError } from "../core/errors.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { ItemSet } from "../recommender/item-set.js";
import type { Question } from "../recommender/question.js";
import { type Ranked, rank } from "../recommender/rank.js";
import type { Recommender } from "../recommender/recommender.js";

export interface BatcherOptions {
  /** Maximum number of questions in a batch. */
  readonly mostAtOnce: number;
  /**
   * Maximum number of questions ahead of a new request. Each waiting request counts with at most as many questions as the
   * new one has. A question with an explanation counts once more for each item of its history.
   */
  readonly mostWaiting: number;
  /** Maximum estimated waiting time of a new question, in milliseconds. Default: no limit. */
  readonly longestWait?: number;
  /** The available items of a catalogue, when a batch begins; undefined = all. */
  available?(items: Vocabulary): ItemSet | undefined;
  /** Called after every batch with its number of questions and its duration in seconds. */
  onBatch?(questions: number, seconds: number): void;
}

/** Too many questions are waiting; the request is rejected. */
export class OverloadedError extends Error {
  override readonly name = "OverloadedError";
}

/** Target duration of a batch in milliseconds; a request that arrives during a batch waits that long. */
const BATCH_MILLISECONDS = 10;
/** Minimum size of a batch, unless a single question takes as long as a whole batch should. */
const FEW = 8;

/** The questions of one request. */
interface Job {
  readonly questions: readonly Question[];
  readonly answers: Ranked[];
  /** Number of questions that have been put into a batch. */
  taken: number;
  /** Number of questions that have been answered. */
  answered: number;
  /** Whether the model is working on it. */
  running: boolean;
  readonly signal: AbortSignal | undefined;
  readonly settle: (outcome: { answers: Ranked[] } | { reason: unknown }) => void;
}

export class Batcher {
  readonly #recommender: Recommender;
  readonly #options: BatcherOptions;
  readonly #turns = new ModelTurns();
  /** Jobs with questions that are not in a batch yet. */
  readonly #jobs = new Set<Job>();
  /** The number of questions that each open request counts as. */
  readonly #open = new Map<readonly Question[], number>();
  #waiting = 0;
  #running = false;
  /** Estimated milliseconds per question. Increases slowly, because measurements include delays of the event loop. */
  #perQuestion = BATCH_MILLISECONDS / FEW;

  constructor(recommender: Recommender, options: BatcherOptions) {
    this.#recommender = recommender;
    this.#options = options;
  }

  /** Number of questions that have not been answered. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * The answers, in order. Rejects with OverloadedError if too many questions are waiting, and with AbortedError once the
   * signal is aborted and the model is no longer working on any of the questions.
   */
  async ask(questions: readonly Question[], signal?: AbortSignal): Promise<Ranked[]> {
    if (questions.length === 0) return [];
    if (signal?.aborted) throw new AbortedError();
    const weight = questions.reduce(
      (sum, { explain, history }) => sum + (explain ? history.length + 1 : 1),
      0,
    );
    this.#refuseTooMany(weight);
    this.#waiting += weight;
    this.#open.set(questions, weight);
    try {
      return await new Promise((resolve, reject) => {
        const stop = () => {
          this.#jobs.delete(job);
          if (!job.running) settle({ reason: new AbortedError() });
        };
        const settle: Job["settle"] = (outcome) => {
          signal?.removeEventListener("abort", stop);
          this.#jobs.delete(job);
          if ("answers" in outcome) resolve(outcome.answers);
          else reject(outcome.reason);
        };
        const job: Job = { questions, answers: [], taken: 0, answered: 0, running: false, signal, settle };
        signal?.addEventListener("abort", stop);
        if (questions.some(({ explain }) => explain)) void this.#explain(job);
        else this.#jobs.add(job);
        this.#start();
      });
    } finally {
      this.#waiting -= weight;
      this.#open.delete(questions);
    }
  }

  /** A small request is answered before most of a large one, so a large one does not cause its rejection. */
  #refuseTooMany(weight: number): void {
    const { mostWaiting, longestWait = Infinity } = this.#options;
    let before = 0;
    for (const left of this.#open.values()) before += Math.min(left, weight);
    // An idle model accepts any request within the limits.
    if (before > 0 && (before + weight > mostWaiting || before * this.#perQuestion > longestWait))
      throw new OverloadedError(`${this.#waiting} questions are waiting`);
  }

  #available(): ItemSet | undefined {
    return this.#options.available?.(this.#recommender.items);
  }

  #start(): void {
    if (this.#running || this.#jobs.size === 0) return;
    this.#running = true;
    // Run after all requests that are read in this turn of the event loop.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#jobs.size > 0) {
      await this.#turns.take("batch");
      try {
        await this.#batch();
      } finally {
        this.#turns.free();
      }
    }
    this.#running = false;
  }

  async #batch(): Promise<void> {
    const batch = this.#next();
    // All requests may have been aborted in the meantime.
    if (batch.length === 0) return;
    const started = performance.now();
    const done = untilAllAborted(batch.map(({ job }) => job.signal));
    for (const { job } of batch) job.running = true;
    try {
      const answers = await rank(
        this.#recommender,
        batch.map(({ question }) => question),
        { signal: done.signal, available: this.#available() },
      );
      const milliseconds = performance.now() - started;
      this.#learn(milliseconds / batch.length);
      this.#options.onBatch?.(batch.length, milliseconds / 1000);
      for (const { job } of batch) if (job.signal?.aborted) job.settle({ reason: new AbortedError() });
      for (const [b, { job, place }] of batch.entries()) {
        job.running = false;
        job.answers[place] = answers[b];
        if (++job.answered === job.questions.length) job.settle({ answers: job.answers });
      }
    } catch (reason) {
      if (done.signal.aborted) this.#learn((performance.now() - started) / batch.length);
      for (const { job } of batch) job.settle({ reason });
    } finally {
      done.forget();
    }
  }

  /** The next questions, starting with the jobs that have had the fewest questions taken. */
  #next(): { job: Job; place: number; question: Question }[] {
    const size = this.#batchSize();
    const batch: { job: Job; place: number; question: Question }[] = [];
    const jobs = [...this.#jobs].sort((a, b) => a.taken - b.taken);
    for (let level = jobs[0]?.taken ?? 0; batch.length < size && this.#jobs.size > 0; level++)
      for (const job of jobs) {
        if (batch.length === size) break;
        if (job.taken > level || job.taken === job.questions.length) continue;
        const place = job.taken++;
        batch.push({ job, place, question: job.questions[place] });
        if (job.taken === job.questions.length) this.#jobs.delete(job);
      }
    return batch;
  }

  #batchSize(): number {
    const { mostAtOnce } = this.#options;
    if (this.#perQuestion >= BATCH_MILLISECONDS) return 1;
    return Math.min(mostAtOnce, Math.max(FEW, Math.floor(BATCH_MILLISECONDS / this.#perQuestion)));
  }

  #learn(milliseconds: number): void {
    const before = this.#perQuestion;
    this.#perQuestion = milliseconds < before ? milliseconds : before + (milliseconds - before) / 4;
  }

  /** Answers a job whose questions ask for explanations. */
  async #explain(job: Job): Promise<void> {
    const { questions, signal } = job;
    job.running = true;
    let steps = 0;
    await this.#turns.take("explanation", steps);
    try {
      const answers = await rank(this.#recommender, questions, {
        signal,
        available: this.#available(),
        between: async () => {
          this.#turns.free();
          await this.#turns.take("explanation", ++steps);
        },
      });
      job.settle({ answers });
    } catch (reason) {
      job.settle({ reason });
    } finally {
      this.#turns.free();
    }
  }
}

interface Turn {
  readonly kind: "batch" | "explanation";
  readonly steps: number;
  readonly go: () => void;
}

/** Exclusive access to the model for one batch or one step of an explanation. Both kinds alternate if both are waiting. */
class ModelTurns {
  #busy = false;
  #last: Turn["kind"] = "explanation";
  readonly #waiting: Turn[] = [];

  /** Resolves when the caller has the model; it must call `free` afterwards. Explanations with fewer steps go first. */
  take(kind: Turn["kind"], steps = 0): Promise<void> {
    return new Promise((go) => {
      this.#waiting.push({ kind, steps, go });
      this.#next();
    });
  }

  /** Releases the model in the next turn of the event loop, because some engines compute synchronously. */
  free(): void {
    setImmediate(() => {
      this.#busy = false;
      this.#next();
    });
  }

  #next(): void {
    if (this.#busy || this.#waiting.length === 0) return;
    const before = (a: Turn, b: Turn) => (a.kind === b.kind ? a.steps < b.steps : b.kind === this.#last);
    const next = this.#waiting.reduce((best, one) => (before(one, best) ? one : best));
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    this.#busy = true;
    this.#last = next.kind;
    next.go();
  }
}

/** A signal that is aborted once all given signals are; never if one of them is undefined. */
function untilAllAborted(signals: readonly (AbortSignal | undefined)[]): {
  signal: AbortSignal;
  forget: () => void;
} {
  const controller = new AbortController();
  const all = [...new Set(signals)];
  const look = () => {
    if (all.every((signal) => signal?.aborted)) controller.abort();
  };
  for (const signal of all) signal?.addEventListener("abort", look);
  look();
  return {
    signal: controller.signal,
    forget() {
      for (const signal of all) signal?.removeEventListener("abort", look);
    },
  };
}
