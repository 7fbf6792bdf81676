// What commands with a server share: the error of a port that cannot be used, and waiting for Ctrl-C.

import { UserError } from "../core/errors.js";

/** Starts to listen; resolves to the address. `place` names the options. Throws UserError if that is not possible. */
export async function listening(listen: () => Promise<string>, place: string): Promise<string> {
  return listen().catch((cause: NodeJS.ErrnoException) => {
    const isTaken = cause.code === "EADDRINUSE";
    throw new UserError({
      place,
      problem: isTaken ? "the port is in use (EADDRINUSE)" : `cannot listen (${cause.code})`,
      remedy: isTaken ? "Choose another --port, or stop the process that uses it" : undefined,
      cause,
    });
  });
}

/** Throws UserError if a port of `--port` is not valid. */
export function requirePort(port: number): void {
  if (port > 65_535)
    throw new UserError({ place: "--port", problem: `must be from 0 to 65535; got ${port}` });
}

/** Resolves when the command is stopped. */
export function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
