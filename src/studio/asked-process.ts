// A process of its own that is asked questions and answers each of them: the server answers other requests meanwhile, and the memory
// is free when the process has ended. The process ends with its parent.

import type { ChildProcess } from "node:child_process";
import { AbortedError, UserError, type UserErrorParts } from "../core/errors.js";
import { followParent, startOwnProcess } from "./own-process.js";

/** Questions and answers by kind. */
export type Questions<Q> = {
  readonly [K in keyof Q]: { readonly question: unknown; readonly answer: unknown };
};

type ToProcess =
  | { readonly start: unknown }
  | { readonly id: number; readonly kind: string; readonly question: unknown };
type FromProcess = { readonly id: number } & (
  | { readonly answer: unknown }
  | { readonly parts: UserErrorParts }
  | { readonly message: string }
);

interface Pending {
  done(answer: never): void;
  failed(error: Error): void;
}

/** The parent's side. */
export class AskedProcess<Q extends Questions<Q>> {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #what: string;
  #last = 0;
  #over: Error | undefined;

  /** `program` is a module that calls `answerQuestions`; `start` is its first message; `what` names the process in messages. */
  constructor(program: string, start: unknown, what: string) {
    this.#what = what;
    this.#child = startOwnProcess(program, {
      onMessage: (message: FromProcess) => {
        const pending = this.#pending.get(message.id);
        this.#pending.delete(message.id);
        if ("answer" in message) pending?.done(message.answer as never);
        else if ("parts" in message) pending?.failed(new UserError(message.parts));
        else pending?.failed(new Error(message.message));
      },
      onOver: (how) => this.#end(`it ${how}`),
    });
    this.#send({ start });
  }

  /** Whether the process has ended. */
  get isOver(): boolean {
    return this.#over !== undefined;
  }

  /** Whether there are questions without an answer. */
  get isBusy(): boolean {
    return this.#pending.size > 0;
  }

  /** Throws the UserError of the process, or one that says why it ended; AbortedError if it was closed. */
  ask<K extends keyof Q & string>(kind: K, question: Q[K]["question"]): Promise<Q[K]["answer"]> {
    if (this.#over) return Promise.reject(this.#over);
    const id = ++this.#last;
    return new Promise<Q[K]["answer"]>((done, failed) => {
      this.#pending.set(id, { done, failed });
      this.#send({ id, kind, question });
    });
  }

  /** Ends the process. */
  close(): void {
    this.#stop(new AbortedError());
    this.#child.kill();
  }

  #send(message: ToProcess): void {
    this.#child.send(message, () => {});
  }

  #end(problem: string): void {
    this.#stop(new UserError({ place: this.#what, problem, remedy: "Try again" }));
  }

  #stop(error: Error): void {
    this.#over ??= error;
    for (const { failed } of this.#pending.values()) failed(this.#over);
    this.#pending.clear();
  }
}

/** The process's side: prepares with the first message, and answers each question; all fail if preparing fails. */
export function answerQuestions<Q extends Questions<Q>, S>(
  prepare: (start: S) => Promise<{
    [K in keyof Q]: (question: Q[K]["question"]) => Q[K]["answer"] | Promise<Q[K]["answer"]>;
  }>,
): void {
  followParent();
  let prepared: ReturnType<typeof prepare> | undefined;
  process.on("message", (message: ToProcess) => {
    if ("start" in message) {
      prepared = prepare(message.start as S);
      prepared.catch(() => {});
      return;
    }
    const { id, kind, question } = message;
    const work = async () => {
      if (!prepared) throw new Error("the process was asked before its start");
      const answer = await (await prepared)[kind as keyof Q](question as never);
      process.send?.({ id, answer } satisfies FromProcess);
    };
    work().catch((error: unknown) => process.send?.({ id, ...sent(error) } satisfies FromProcess));
  });
}

function sent(error: unknown): { parts: UserErrorParts } | { message: string } {
  if (error instanceof UserError) {
    const { place, problem, expected, remedy } = error;
    return { parts: { place, problem, expected, remedy } };
  }
  return { message: error instanceof Error ? error.message : String(error) };
}
