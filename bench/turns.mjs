// Measures how long a command blocks the event loop. Preloaded into a command, it writes the longest turns, in CPU time of the main
// thread (other processes do not count), and where the time was spent:
//
//   FOLDIN_TURNS=turns.json node --import ./bench/turns.mjs dist/cli/main.js train data --model cdae --out run
//
// Linux only. A turn is one iteration of the event loop, for which timers, signals and requests would have had to wait.

import { openSync, readSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import { isMainThread } from "node:worker_threads";

/** Turns shorter than this, in milliseconds, are not reported. */
const WORTH = 40;

const out = process.env.FOLDIN_TURNS;
if (out && isMainThread) {
  // The main thread's CPU time in nanoseconds: the first number.
  const file = openSync(`/proc/self/task/${process.pid}/schedstat`, "r");
  const bytes = Buffer.alloc(64);
  const cpu = () => Number.parseInt(bytes.toString("latin1", 0, readSync(file, bytes, 0, 64, 0)), 10) / 1e6;
  const wall = () => Number(process.hrtime.bigint() / 1000n) / 1e3;

  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.setSamplingInterval", { interval: 1000 });
  session.post("Profiler.start");

  const long = [];
  let last = { cpu: cpu(), wall: wall() };
  const began = last.wall;
  const turn = () => {
    const now = { cpu: cpu(), wall: wall() };
    const took = now.cpu - last.cpu;
    if (took >= WORTH) long.push({ cpu: took, wall: now.wall - last.wall, from: last.wall, to: now.wall });
    last = now;
    // Unreferenced, so that the loop sleeps as it would without this script.
    setImmediate(turn).unref();
  };
  turn();

  process.on("exit", () => {
    turn();
    session.post("Profiler.stop", (_, { profile }) => {
      const turns = long
        .sort((a, b) => b.cpu - a.cpu)
        .slice(0, 12)
        .map(({ cpu, wall, from, to }) => ({
          cpu: Math.round(cpu),
          wall: Math.round(wall),
          at: Math.round(from - began),
          ...seenIn(profile, from * 1e3, to * 1e3),
        }));
      writeFileSync(out, `${JSON.stringify({ turns }, null, 1)}\n`);
    });
  });
}

/** Frames of Node's module loader, and of modules as they are evaluated. */
const LOADER = /cjs\/loader|esm\/|cjs-module-lexer/;

/** The functions in a span of a profile, by inclusive milliseconds, and the share of module loading. */
function seenIn({ nodes, samples, timeDeltas, startTime }, from, to) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parent = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const times = new Map();
  let [all, loading] = [0, 0];
  let now = startTime;
  samples.forEach((id, s) => {
    now += timeDeltas[s];
    if (now < from || now > to) return;
    const seen = new Set();
    all += timeDeltas[s];
    let loads = false;
    for (let at = id; at !== undefined; at = parent.get(at)) {
      const { functionName, url, lineNumber } = byId.get(at).callFrame;
      if (functionName === "(root)") continue;
      loads ||= LOADER.test(url);
      const name = `${functionName || "(anonymous)"} ${url.split("/").slice(-2).join("/")}:${lineNumber + 1}`;
      if (!seen.has(name)) times.set(name, (times.get(name) ?? 0) + timeDeltas[s] / 1e3);
      seen.add(name);
    }
    if (loads) loading += timeDeltas[s];
  });
  const where = [...times]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 14)
    .map(([name, time]) => `${Math.round(time)} ${name}`);
  return { loading: all > 0 ? loading / all : 0, where };
}
