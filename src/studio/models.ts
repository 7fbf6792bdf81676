// The models of run folders, loaded by need in a process of their own: the server answers while a model is loaded, and a model that
// ends its process does not end the studio. The process is started with the first request, and again after it has ended; it ends
// when nothing was asked for some minutes.

import type { ChildProcess } from "node:child_process";
import { totalmem } from "node:os";
import { resolve } from "node:path";
import { AbortedError, UserError } from "../core/errors.js";
import { memoryLimit } from "../core/memory.js";
import { AmbiguousTitlesError } from "../recommender/look-up.js";
import type { AnswerTo, Asked, FromModels, ModelLimits, SentError, ToModels } from "./models-messages.js";
import { startOwnProcess } from "./own-process.js";

const WORKER = resolve(import.meta.dirname, "../../dist/studio/models-worker.js");
/** Models in memory at the same time: those of one page. */
const MOST_MODELS = 4;
/** Milliseconds without requests after which the memory is released. */
const IDLE = 10 * 60_000;

interface Pending {
  readonly path: string;
  done(answer: never): void;
  failed(error: Error): void;
}

export interface ModelsOptions extends Partial<ModelLimits> {
  /** Milliseconds without requests after which the process ends. */
  readonly idle?: number;
}

export class Models {
  readonly #limits: ModelLimits;
  readonly #idle: number;
  readonly #pending = new Map<number, Pending>();
  #child: ChildProcess | undefined;
  #last = 0;
  #timer: NodeJS.Timeout | undefined;

  /** By default at most four models and, unless --memory says otherwise, half of the machine's memory. */
  constructor({ models = MOST_MODELS, bytes, idle = IDLE }: ModelsOptions = {}) {
    this.#limits = { models, bytes: bytes ?? Math.min(memoryLimit(), totalmem() / 2) };
    this.#idle = idle;
  }

  /** The id of the process, if it is running. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Asks the model of a run folder, which is loaded if necessary. Throws UserError if the model cannot be loaded or not be asked this, or
   * if its process ends; AmbiguousTitlesError; AbortedError if the signal is aborted.
   */
  ask<A extends Asked>(path: string, asked: A, signal?: AbortSignal): Promise<AnswerTo<A>> {
    if (signal?.aborted) return Promise.reject(new AbortedError());
    const child = this.#running();
    const id = ++this.#last;
    clearTimeout(this.#timer);
    return new Promise<AnswerTo<A>>((done, failed) => {
      const stop = () => {
        this.#pending.delete(id);
        child.send({ stop: id } satisfies ToModels, () => {});
        failed(new AbortedError());
      };
      signal?.addEventListener("abort", stop, { once: true });
      this.#pending.set(id, { path, done, failed });
      child.send({ id, path, asked } satisfies ToModels, () => {});
    }).finally(() => this.#rest());
  }

  /** Ends the process; open requests are rejected with AbortedError. */
  close(): void {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = undefined;
    child?.kill();
    for (const { failed } of this.#pending.values()) failed(new AbortedError());
    this.#pending.clear();
  }

  #rest(): void {
    clearTimeout(this.#timer);
    if (this.#pending.size > 0 || !this.#child) return;
    this.#timer = setTimeout(() => this.close(), this.#idle);
    this.#timer.unref();
  }

  #running(): ChildProcess {
    if (this.#child) return this.#child;
    const child = startOwnProcess(WORKER, {
      onMessage: (message: FromModels) => {
        const pending = this.#pending.get(message.id);
        // Stopped meanwhile.
        if (!pending) return;
        this.#pending.delete(message.id);
        if ("answer" in message) pending.done(message.answer as never);
        else pending.failed(received(message.error));
      },
      onOver: (how) => {
        if (this.#child !== child) return;
        this.#child = undefined;
        const problem = `the process with the models ${how}`;
        const remedy = "Try again; if it happens again, train the run again, or close other programs";
        for (const { path, failed } of this.#pending.values())
          failed(new UserError({ place: path, problem, remedy }));
        this.#pending.clear();
      },
    });
    this.#child = child;
    child.send({ limits: this.#limits } satisfies ToModels, () => {});
    return child;
  }
}

function received({ parts, ambiguous, message }: SentError): Error {
  if (ambiguous) return new AmbiguousTitlesError(ambiguous);
  return parts ? new UserError(parts) : new Error(message);
}
