// The hostile and slow clients of hostile.mjs, in a separate thread: a bounded number of each kind, each with its own loopback
// address, until the time is over. Posts the number of actions and responses of each kind.

import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";

const { address, token, ids, seconds, factor } = workerData;
const { hostname, port } = new URL(address);
const end = performance.now() + seconds * 1000;
const over = () => performance.now() >= end;
const counts = {};
const sockets = new Set();

/** A connection from one of the addresses 127.0.0.2, .3, ...; resolves when it is established or has failed. */
function open(kind) {
  const socket = connect({
    host: hostname,
    port: Number(port),
    localAddress: `127.0.0.${2 + kinds.indexOf(kind)}`,
  });
  sockets.add(socket);
  counts[kind.name] ??= { opened: 0, closedByServer: 0 };
  counts[kind.name].opened++;
  socket.on("error", () => {});
  const closed = new Promise((done) => {
    socket.once("end", done);
    socket.once("close", done);
  });
  void closed.then(() => {
    if (!over()) counts[kind.name].closedByServer++;
    sockets.delete(socket);
  });
  return { socket, closed };
}

const head = (more, path = "/v1/recommendations", given = token) =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${given}\r\nContent-Type: application/json\r\n${more}\r\n`;
const whole = (body, given) =>
  `${head(`Content-Length: ${Buffer.byteLength(body)}\r\n`, undefined, given)}${body}`;
const histories = (length) =>
  Array.from({ length: 100 }, (_, h) =>
    Array.from({ length }, (_, k) => ids[(h * 131 + k * 37) % ids.length]),
  );
const unknown = Array.from({ length: 10_000 }, (_, n) => `no such title, the ${n}`);
const bodies = {
  long: JSON.stringify({ histories: histories(20), k: 1000 }),
  titles: JSON.stringify({ histories: histories(20), exclude: unknown, k: 10 }),
  explained: JSON.stringify({ history: histories(200)[0], k: 100, explain: true }),
  small: JSON.stringify({ history: ids.slice(0, 50), k: 10 }),
};

/** Sends an endless request and waits for the server to close the connection. */
const hold = (text) => async (kind) => {
  const { socket, closed } = open(kind);
  socket.resume();
  socket.write(text);
  await closed;
  socket.destroy();
};
/** Sends complete requests and reads the responses, one after another. */
const insist = (text, pause) => async (kind) => {
  const { socket, closed } = open(kind);
  socket.resume();
  socket.end(text.replace("\r\n", "\r\nConnection: close\r\n"));
  await closed;
  socket.destroy();
  await setTimeout(pause);
};

const kinds = [
  { name: "partial header", clients: 20, act: hold("POST /v1/recommendations HTTP/1.1\r\nHost: local") },
  { name: "partial body", clients: 20, act: hold(`${head("Content-Length: 100000\r\n")}{"history":[`) },
  {
    name: "chunks without end",
    clients: 20,
    act: hold(`${head("Transfer-Encoding: chunked\r\n")}5\r\n{"his\r\n`),
  },
  { name: "idle", clients: 50, act: hold("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n") },
  {
    name: "slow body",
    clients: 10,
    async act(kind) {
      const { socket, closed } = open(kind);
      socket.resume();
      socket.write(`${head("Content-Length: 100000\r\n")}{"history":[`);
      const drip = setInterval(() => socket.write('"1",'), 250);
      await closed;
      clearInterval(drip);
      socket.destroy();
    },
  },
  {
    name: "unread answers",
    clients: 20,
    async act(kind) {
      const { socket, closed } = open(kind);
      socket.pause();
      socket.write(whole(bodies.long).repeat(3));
      // A paused socket does not receive the end event.
      await Promise.race([closed, setTimeout(35_000)]);
      socket.destroy();
      await setTimeout(1000);
    },
  },
  {
    name: "slow reader",
    clients: 5,
    async act(kind) {
      const { socket, closed } = open(kind);
      socket.write(whole(bodies.long));
      const sip = setInterval(() => {
        socket.resume();
        setImmediate(() => socket.pause());
      }, 200);
      socket.pause();
      await Promise.race([closed, setTimeout(40_000)]);
      clearInterval(sip);
      socket.destroy();
    },
  },
  {
    name: "oversized",
    clients: 2,
    act: insist(`${head("Content-Length: 50000000\r\n")}${"[".repeat(65_536)}`, 500),
  },
  { name: "deep", clients: 1, act: insist(whole("[".repeat(500_000)), 500) },
  { name: "unknown titles", clients: 2, act: insist(whole(bodies.titles), 500) },
  { name: "explain", clients: 2, act: insist(whole(bodies.explained), 500) },
  { name: "wrong token", clients: 2, act: insist(whole(bodies.small, "wrong"), 2) },
  { name: "not HTTP", clients: 2, act: insist("\x16\x03\x01 nonsense\r\n\r\n", 200) },
  {
    name: "aborted",
    clients: 4,
    async act(kind) {
      const { socket } = open(kind);
      socket.write(whole(bodies.titles));
      await setTimeout(50);
      socket.destroy();
      await setTimeout(500);
    },
  },
];

const clients = kinds.flatMap((kind) =>
  Array.from({ length: Math.ceil(kind.clients * factor) }, async () => {
    while (!over()) {
      await Promise.race([kind.act(kind), setTimeout(Math.max(0, end - performance.now()))]);
      // Do not retry in a tight loop.
      await setTimeout(20);
    }
  }),
);
await Promise.all(clients);
for (const socket of sockets) socket.destroy();
parentPort.postMessage(counts);
