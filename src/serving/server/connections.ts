// Limits on connections: requests that never end, answers that are not read, too many connections. Such connections are
// closed after a timeout, so that they do not block other clients.

import { readdirSync, readFileSync } from "node:fs";
import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyBaseLogger } from "fastify";
import type { Limits } from "./limits.js";
import type { Metrics } from "./metrics.js";
import { problemBody } from "./problems.js";

/** File descriptors reserved for models, stores and logs. */
const RESERVED = 64;
/** Milliseconds that a client has to read why its request was rejected. */
const LINGER = 500;
/** Minimum milliseconds between two log lines about rejected connections. */
const QUIET = 10_000;

/** Interval between checks in milliseconds, short enough to keep timeouts accurate to about 10 %. */
export function checkInterval({ headerTime, requestTime, readTime }: Limits): number {
  return Math.max(20, Math.min(1000, headerTime / 10, requestTime / 10, readTime / 10));
}

/** The number of connections that the file descriptor limit of this process allows, at most `wanted`. */
export function possibleConnections(wanted: number): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(read("/proc/self/limits")) ?? [];
  if (soft === undefined) return wanted;
  const open = readdirSync("/proc/self/fd").length;
  return Math.min(wanted, Math.max(8, Number(soft) - open - RESERVED));
}

/** The text of a file; "" on systems that do not have it. */
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
  /** Unfinished responses and the time since which they are being sent. */
  readonly #open = new Map<ServerResponse, number | undefined>();
  readonly #timer: NodeJS.Timeout;
  #rejected = 0;
  #lastLog = -Infinity;

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
    server.on("drop", () => this.#logRejected());
    this.#timer = setInterval(() => this.#closeSlowReaders(), checkInterval(limits)).unref();
  }

  /** Registers a response that is in progress. */
  add(response: ServerResponse): void {
    this.#open.set(response, undefined);
    response.once("close", () => this.#open.delete(response));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Answers a malformed or slow request and closes the connection even if the client does not. */
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

  /** Node does not emit "close" for a response that is queued behind another one on the same connection. */
  #endAnswers(socket: Socket): void {
    for (const response of this.#open.keys()) if (response.req.socket === socket) response.emit("close");
  }

  /** Closes idle connections before new ones would be rejected. */
  #makeRoom(): void {
    this.#server.getConnections((_, count) => {
      if (count > 0.9 * this.#server.maxConnections) this.#server.closeIdleConnections();
    });
  }

  #logRejected(): void {
    this.#rejected++;
    this.#cut.inc({ reason: "too many connections" });
    const now = performance.now();
    if (now - this.#lastLog < QUIET) return;
    this.#lastLog = now;
    const { maxConnections } = this.#server;
    const fewer = maxConnections < this.#limits.connections;
    this.#log.warn(
      { connections: maxConnections, refused: this.#rejected },
      `connections rejected: the limit of ${maxConnections} is reached; raise ${fewer ? "the file descriptor limit (ulimit -n)" : "--max-connections"}`,
    );
    this.#rejected = 0;
  }

  #closeSlowReaders(): void {
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
