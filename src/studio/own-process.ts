// A process of the studio's own, for work that would hold up the server or needs much memory.

import { type ChildProcess, fork } from "node:child_process";

export interface OwnProcessOptions<Message> {
  onMessage(message: Message): void;
  /** Called once when it has ended or could not be started, with what happened as a clause: "ended (SIGKILL)". */
  onOver(how: string): void;
}

/** Starts a built module. Its standard error is kept for the message about its end. */
export function startOwnProcess<Message>(
  program: string,
  { onMessage, onOver }: OwnProcessOptions<Message>,
): ChildProcess {
  const child = fork(program, [], { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [] });
  let errors = "";
  let isOver = false;
  const over = (how: string) => {
    if (!isOver) onOver(how);
    isOver = true;
  };
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-2000);
  });
  child.on("message", onMessage);
  child.on("error", ({ message }) => over(`could not be started: ${message}`));
  child.on("close", (code, signal) => {
    const last = errors.trim().split("\n").at(-1) ?? "";
    over(`ended (${signal ?? `code ${code}`})${last === "" ? "" : `: ${last}`}`);
  });
  return child;
}

/** Called in such a process: it ends with its parent, and leaves Ctrl-C, which reaches every process of a terminal, to it. */
export function followParent(): void {
  process.on("SIGINT", () => {});
  process.once("disconnect", () => process.exit());
}
