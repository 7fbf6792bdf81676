// Questions that come together are scored together: a pass over a large model's weights costs nearly the same for one
// history as for a few. Nobody waits for company: an idle model takes what is there, and what arrives meanwhile makes the
// next batch.
//
// A request with many histories does not hold up one with few: a batch takes from those that have had the least so far, and
// is no larger than what the model answers in a few milliseconds. Explanations, which score a history many times, take turns
// with the batches, step by step.

import { AbortedError } from "../core/errors.js";
import type { Question } from "../recommender/question.js";
import { type Ranked, rank } from "../recommender/rank.js";
import type { Recommender } from "../recommender/recommender.js";

export interface BatcherOptions {
  /** Questions scored at once, at most. */
  readonly mostAtOnce: number;
  /**
   * Questions that may have to be answered before a new request, at most: of each waiting request no more than the new one
   * has. One that is to be explained counts once more for each item of its history.
   */
  readonly mostWaiting: number;
  /** Milliseconds that a new question may have to wait, as far as one can tell. Default: any. */
  readonly longestWait?: number;
  /** Hears of every batch: its questions and how many seconds they took. */
  onBatch?(questions: number, seconds: number): void;
}

/** More questions wait already than may. */
export class OverloadedError extends Error {
  override readonly name = "OverloadedError";
}

/** Milliseconds that a batch should take: who comes meanwhile waits as long. */
const BATCH_MILLISECONDS = 10;
/** Questions that are scored at once whatever that takes, unless each takes as long as a batch should. */
const FEW = 8;

/** The questions of one request. */
interface Job {
  readonly questions: readonly Question[];
  readonly answers: Ranked[];
  /** Questions that have been put into a batch. */
  taken: number;
  /** Questions that have been answered. */
  answered: number;
  /** Whether the model is at work on it. */
  running: boolean;
  readonly signal: AbortSignal | undefined;
  readonly settle: (outcome: { answers: Ranked[] } | { reason: unknown }) => void;
}

export class Batcher {
  readonly #recommender: Recommender;
  readonly #options: BatcherOptions;
  readonly #turns = new ModelTurns();
  /** Jobs with questions that are in no batch yet. */
  readonly #jobs = new Set<Job>();
  /** How many questions each request counts as that has not been answered. */
  readonly #open = new Map<readonly Question[], number>();
  #waiting = 0;
  #running = false;
  /** Milliseconds that a question takes; slow to grow, as delays of the event loop are among what is measured. */
  #perQuestion = BATCH_MILLISECONDS / FEW;

  constructor(recommender: Recommender, options: BatcherOptions) {
    this.#recommender = recommender;
    this.#options = options;
  }

  /** Questions that have not been answered. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * The answers, in order. Rejects with OverloadedError where too many wait; with AbortedError once the signal is aborted and
   * the model is not at work on any of the questions any more.
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

  /** A small request is answered before most of a large one, and so is not refused because of it. */
  #refuseTooMany(weight: number): void {
    const { mostWaiting, longestWait = Infinity } = this.#options;
    let before = 0;
    for (const left of this.#open.values()) before += Math.min(left, weight);
    // An idle model takes what one request may hold.
    if (before > 0 && (before + weight > mostWaiting || before * this.#perQuestion > longestWait))
      throw new OverloadedError(`${this.#waiting} questions are waiting`);
  }

  #start(): void {
    if (this.#running || this.#jobs.size === 0) return;
    this.#running = true;
    // After all requests that were read in this turn of the event loop.
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
    // All of them may have been given up since.
    if (batch.length === 0) return;
    const started = performance.now();
    const done = untilAllAborted(batch.map(({ job }) => job.signal));
    for (const { job } of batch) job.running = true;
    try {
      const answers = await rank(
        this.#recommender,
        batch.map(({ question }) => question),
        { signal: done.signal },
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

  /** The next questions, of the jobs that have had the least first. */
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

  /** Answers a job whose questions want reasons. */
  async #explain(job: Job): Promise<void> {
    const { questions, signal } = job;
    job.running = true;
    let steps = 0;
    await this.#turns.take("explanation", steps);
    try {
      const answers = await rank(this.#recommender, questions, {
        signal,
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

/** Who uses the model: one batch or one step of an explanation at a time, in turns where both wait. */
class ModelTurns {
  #busy = false;
  #last: Turn["kind"] = "explanation";
  readonly #waiting: Turn[] = [];

  /** Resolves once the model is free for the caller, who then calls `free`. Of the explanations that with the fewest steps goes first. */
  take(kind: Turn["kind"], steps = 0): Promise<void> {
    return new Promise((go) => {
      this.#waiting.push({ kind, steps, go });
      this.#next();
    });
  }

  /** Others go on in the next turn of the event loop: some engines compute on the spot. */
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

/** A signal that is aborted once all of the given ones are: never where one is missing. */
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
