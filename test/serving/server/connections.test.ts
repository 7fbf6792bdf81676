import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { possibleConnections } from "../../../src/serving/server/connections.js";
import type { Limits } from "../../../src/serving/server/limits.js";
import { type RawClient, rawClient } from "../../support/raw-client.js";
import { served } from "../../support/served.js";

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function listening(limits: Partial<Limits>, log: object[] = []) {
  const logger = { level: "warn", stream: { write: (line: string) => log.push(JSON.parse(line)) } };
  const fixture = await served({ limits: { perSecond: 0, ...limits }, logger });
  opened.push(fixture);
  const address = await fixture.server.listen(0);
  const sockets = () =>
    new Promise<number>((done) => fixture.server.app.server.getConnections((_, count) => done(count)));
  const cut = async (reason: string) =>
    Number(
      new RegExp(`foldin_cut_connections_total\\{reason="${reason}"\\} (\\d+)`).exec(
        (await fixture.ask("GET", "/metrics")).body,
      )?.[1] ?? 0,
    );
  return { ...fixture, address, sockets, cut };
}

const HEADER = "POST /v1/recommendations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
const quick = { headerTime: 300, requestTime: 600, idleTime: 300, readTime: 400 };

describe("requests that never end", () => {
  it.each([
    [
      "a part of a header",
      "GET /v1/models HTTP/1.1\r\nHost: local",
      /^HTTP\/1.1 408 .*did not arrive in time/s,
    ],
    ["nothing", "", /^HTTP\/1.1 408 /],
    ["a part of a body", `${HEADER}Content-Length: 100\r\n\r\n{"history":`, /^HTTP\/1.1 408 /],
    ["chunks without an end", `${HEADER}Transfer-Encoding: chunked\r\n\r\n5\r\n{"his\r\n`, /^HTTP\/1.1 408 /],
    ["what is not HTTP", "\x16\x03\x01\x02\x00\x01\x00", /^HTTP\/1.1 400 .*not a valid HTTP request/s],
    ["a header without an end", `GET / HTTP/1.1\r\nX: ${"x".repeat(20_000)}`, /^HTTP\/1.1 431 /],
  ])("are closed: %s", { timeout: 20_000 }, async (_, text, answer) => {
    const { address, sockets } = await listening(quick);
    const clients = await Promise.all(Array.from({ length: 20 }, () => rawClient(address, text)));
    const ends = await Promise.all(clients.map((client) => client.closed(8000)));
    for (const end of ends) expect(end).toMatch(answer);
    // Also those of clients that never close their side.
    await expect.poll(sockets, { timeout: 5000 }).toBe(0);
  });

  it("are closed if they arrive in small pieces", { timeout: 20_000 }, async () => {
    const { address, cut } = await listening(quick);
    const client = await rawClient(address, HEADER);
    const drip = setInterval(() => client.socket.write("X-A: b\r\n"), 50);
    expect(await client.closed()).toMatch(/^HTTP\/1.1 408 /);
    clearInterval(drip);
    expect(await cut("request too slow")).toBe(1);
  });

  it("do not keep the connection of a rejected request open", { timeout: 20_000 }, async () => {
    const { address } = await listening({ ...quick, bodyBytes: 1000 });
    const client = await rawClient(address, `${HEADER}Content-Length: 5000\r\n\r\n{"his`);
    expect(await client.closed()).toMatch(/^HTTP\/1.1 413 .*larger than 1000 bytes/s);
  });
});

describe("idle connections", () => {
  it("are closed after a while", { timeout: 20_000 }, async () => {
    const { address, sockets } = await listening(quick);
    const client = await rawClient(address, "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await expect.poll(client.text).toContain("alive");
    client.socket.end();
    await client.closed();
    await expect.poll(sockets, { timeout: 5000 }).toBe(0);
  });

  it("are closed to make room for new ones", { timeout: 20_000 }, async () => {
    const { address } = await listening({ connections: 10, idleTime: 60_000 });
    const live = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const idle: RawClient[] = [];
    for (let n = 0; n < 25; n++) {
      const client = await rawClient(address, live);
      await expect.poll(client.text, { timeout: 5000 }).toContain("alive");
      idle.push(client);
    }
    for (const { socket } of idle) socket.destroy();
  });
});

describe("more connections than allowed", () => {
  it("are rejected, counted and logged once; later ones are accepted again", {
    timeout: 30_000,
  }, async () => {
    const log: { level?: number; msg?: string }[] = [];
    const { address, sockets, cut } = await listening(
      { connections: 5, headerTime: 3000, requestTime: 3000 },
      log,
    );
    const busy = await Promise.all(Array.from({ length: 5 }, () => rawClient(address, "GET / HT")));
    for (let n = 0; n < 4; n++) expect(await (await rawClient(address)).closed()).toBe("");
    expect(await cut("too many connections")).toBeGreaterThanOrEqual(4);
    const lines = log.filter(({ msg }) => msg?.includes("connections rejected"));
    expect(lines).toHaveLength(1);
    expect(lines[0].msg).toMatch(/the limit of 5 is reached; raise --max-connections/);
    await Promise.all(busy.map((client) => client.closed()));
    await expect.poll(sockets, { timeout: 5000 }).toBe(0);
    expect((await fetch(`${address}/health/live`)).status).toBe(200);
  });

  it("are limited by the file descriptor limit", () => {
    expect(possibleConnections(10)).toBe(10);
    const most = possibleConnections(1e9);
    if (process.platform === "linux") expect(most).toBeLessThan(1e9);
  });
});

describe("answers that are not read", () => {
  const large = JSON.stringify({
    histories: Array.from({ length: 100 }, (_, h) => [`item${h % 60}`]),
    k: 60,
    includeHistory: true,
  });
  const single = `${HEADER}Content-Length: ${large.length}\r\n\r\n${large}`;
  /** Many at once on one connection, so that more is to be sent than the system takes. */
  const request = single.repeat(40);

  it("are closed, and use little memory until then", { timeout: 60_000 }, async () => {
    const { address, sockets, cut, ask } = await listening({
      ...quick,
      requestTime: 5000,
      readTime: 1000,
      openAnswers: 30,
    });
    const clients = await Promise.all(Array.from({ length: 10 }, () => rawClient(address)));
    for (const { socket } of clients) {
      socket.pause();
      socket.write(request);
    }
    await expect.poll(() => cut("answer not read"), { timeout: 30_000 }).toBeGreaterThanOrEqual(10);
    for (const { socket } of clients) socket.destroy();
    await expect.poll(sockets, { timeout: 5000 }).toBe(0);
    expect((await ask("GET", "/health/live")).status).toBe(200);
    // Also those that waited behind another answer on the same connection give back what they held.
    const first = await ask("POST", "/v1/recommendations", JSON.parse(large));
    expect(first.status).toBe(200);
  });

  it("are rejected beyond a limit, and accepted again below it", { timeout: 60_000 }, async () => {
    const { address, ask } = await listening({ openAnswers: 1, readTime: 4000 });
    const reader = await rawClient(address);
    reader.socket.pause();
    let refused: Awaited<ReturnType<typeof ask>> | undefined;
    // One request after the other, until the system takes no more of the answers.
    for (let n = 0; n < 400 && refused === undefined; n++) {
      reader.socket.write(single);
      await setTimeout(50);
      const answer = await ask("POST", "/v1/recommendations", JSON.parse(large));
      if (answer.status !== 200) refused = answer;
    }
    expect(refused?.status).toBe(503);
    expect(refused?.headers["retry-after"]).toBe("1");
    expect(refused?.body.detail).toContain("too many large answers in progress");
    // Small ones go on.
    expect((await ask("POST", "/v1/recommendations", { history: ["item1"] })).status).toBe(200);
    await expect
      .poll(async () => (await ask("POST", "/v1/recommendations", JSON.parse(large))).status, {
        timeout: 10_000,
      })
      .toBe(200);
    reader.socket.destroy();
  });
});

describe("a server with few files", () => {
  it("reserves some for its models and logs that it rejects connections", { timeout: 60_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "foldin-files-"));
    try {
      const program = `
        import { createServer } from "node:http";
        import { Connections, possibleConnections } from "${new URL("../../../dist/serving/server/connections.js", import.meta.url)}";
        console.log(possibleConnections(1000000));`;
      const output = await new Promise<string>((done, fail) =>
        execFile(
          "bash",
          ["-c", 'ulimit -n 300; exec "$0" --input-type=module -e "$1"', process.execPath, program],
          (error, stdout) => (error ? fail(error) : done(stdout)),
        ),
      );
      expect(Number(output)).toBeGreaterThan(150);
      expect(Number(output)).toBeLessThan(300 - 64);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
