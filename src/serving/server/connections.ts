// Connections that do not behave: requests that never end, answers that nobody reads, more connections than there can be.
// All of them are cut off after a while, so that they cannot keep others out.

import { readdirSync, readFileSync } from "node:fs";
import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyBaseLogger } from "fastify";
import type { Limits } from "./limits.js";
import type { Metrics } from "./metrics.js";
import { problemBody } from "./problems.js";

/** Open files that are kept for models, stores and logs. */
const RESERVED = 64;
/** Milliseconds that a client has to read why it was refused. */
const LINGER = 500;
/** Milliseconds between two lines about the same trouble. */
const QUIET = 10_000;

/** How often connections are looked at: often enough that a time is kept to within a tenth or so. */
export function lookEvery({ headerTime, requestTime, readTime }: Limits): number {
  return Math.max(20, Math.min(1000, headerTime / 10, requestTime / 10, readTime / 10));
}

/** The connections that this process has files for, at most `wanted`. */
export function possibleConnections(wanted: number): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(read("/proc/self/limits")) ?? [];
  if (soft === undefined) return wanted;
  const open = readdirSync("/proc/self/fd").length;
  return Math.min(wanted, Math.max(8, Number(soft) - open - RESERVED));
}

/** Not every system has the file. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

export class Connections {
  readonly #server: Server;
  readonly #limits: Limits;
  readonly #log: FastifyBaseLogger;
  readonly #cut: Metrics["cut"];
  /** Responses that are not finished, and since when they are being sent. */
  readonly #open = new Map<ServerResponse, number | undefined>();
  readonly #timer: NodeJS.Timeout;
  #refused = 0;
  #lastLine = -Infinity;

  constructor(server: Server, limits: Limits, log: FastifyBaseLogger, cut: Metrics["cut"]) {
    this.#server = server;
    this.#limits = limits;
    this.#log = log;
    this.#cut = cut;
    server.maxConnections = possibleConnections(limits.connections);
    server.on("connection", (socket) => {
      this.#makeRoom();
      socket.once("close", () => this.#endAnswers(socket));
    });
    server.on("drop", () => this.#tellRefused());
    this.#timer = setInterval(() => this.#cutSlowReaders(), lookEvery(limits)).unref();
  }

  /** Takes note of a request that is being answered. */
  add(response: ServerResponse): void {
    this.#open.set(response, undefined);
    response.once("close", () => this.#open.delete(response));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Answers what is not a request, or did not arrive in time, and ends the connection whether or not the client does. */
  refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    const { status, detail, reason } = refusal(error);
    this.#cut.inc({ reason });
    const answering = [...this.#open.keys()].some(
      (response) => response.req.socket === socket && response.headersSent,
    );
    if (answering || !socket.writable) {
      socket.destroy();
      return;
    }
    const problem = problemBody(status, detail);
    const body = JSON.stringify(problem);
    socket.end(
      `HTTP/1.1 ${status} ${problem.title}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
    setTimeout(() => socket.destroy(), LINGER).unref();
  }

  /** An answer that waits behind another one on its connection does not hear from Node that this is gone. */
  #endAnswers(socket: Socket): void {
    for (const response of this.#open.keys()) if (response.req.socket === socket) response.emit("close");
  }

  /** Idle connections are closed before new ones are refused. */
  #makeRoom(): void {
    this.#server.getConnections((_, count) => {
      if (count > 0.9 * this.#server.maxConnections) this.#server.closeIdleConnections();
    });
  }

  #tellRefused(): void {
    this.#refused++;
    this.#cut.inc({ reason: "too many connections" });
    const now = performance.now();
    if (now - this.#lastLine < QUIET) return;
    this.#lastLine = now;
    const { maxConnections } = this.#server;
    const fewer = maxConnections < this.#limits.connections;
    this.#log.warn(
      { connections: maxConnections, refused: this.#refused },
      `connections are refused: ${maxConnections} are open already; ${fewer ? "the process may open no more files (ulimit -n)" : "--max-connections allows no more"}`,
    );
    this.#refused = 0;
  }

  #cutSlowReaders(): void {
    const now = performance.now();
    for (const [response, since] of this.#open)
      if (since === undefined) {
        if (response.headersSent) this.#open.set(response, now);
      } else if (now - since > this.#limits.readTime) {
        this.#cut.inc({ reason: "answer not read" });
        response.req.socket.destroy();
      }
  }
}

function refusal({ code = "" }: NodeJS.ErrnoException): { status: number; detail: string; reason: string } {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return { status: 408, detail: "the request did not arrive in time", reason: "request too slow" };
  if (code === "HPE_HEADER_OVERFLOW")
    return { status: 431, detail: "the header is too large", reason: "malformed request" };
  return { status: 400, detail: "this is not a valid HTTP request", reason: "malformed request" };
}
