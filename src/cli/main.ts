#!/usr/bin/env node

// The `foldin` program: the list of commands, signal handling, pipes and the exit code.

import * as addItems from "./commands/add-items.js";
import * as blend from "./commands/blend.js";
import * as compare from "./commands/compare.js";
import * as describe from "./commands/describe.js";
import * as doctor from "./commands/doctor.js";
import * as embed from "./commands/embed.js";
import * as evaluate from "./commands/evaluate.js";
import * as exportModel from "./commands/export.js";
import * as index from "./commands/index.js";
import * as models from "./commands/models.js";
import * as prepare from "./commands/prepare.js";
import * as quickstart from "./commands/quickstart.js";
import * as recommend from "./commands/recommend.js";
import * as refit from "./commands/refit.js";
import * as reproduce from "./commands/reproduce.js";
import * as score from "./commands/score.js";
import * as search from "./commands/search.js";
import * as serve from "./commands/serve.js";
import * as studio from "./commands/studio.js";
import * as train from "./commands/train.js";
import * as tune from "./commands/tune.js";
import * as worker from "./commands/worker.js";
import type { Register } from "./context.js";
import { run } from "./run.js";

/** In the order in which `foldin --help` shows them. */
const commands: readonly Register[] = [
  quickstart,
  prepare,
  describe,
  train,
  blend,
  evaluate,
  compare,
  studio,
  index,
  recommend,
  serve,
  score,
  embed,
  exportModel,
  addItems,
  search,
  tune,
  refit,
  reproduce,
  worker,
  models,
  doctor,
].map(({ register }) => register);

const stop = new AbortController();
let stoppedBy: NodeJS.Signals | undefined;
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.once(name, () => {
    // A second signal ends the process immediately. The operating system does that: `process.exit` would wait for other
    // threads, and no handler runs while this thread is busy. The progress bar hides the cursor, so it is restored now.
    process.removeAllListeners("SIGINT");
    process.removeAllListeners("SIGTERM");
    if (process.stderr.isTTY) process.stderr.write("\u001b[?25h");
    stoppedBy = name;
    stop.abort();
  });
// The reader closed the pipe, as in `foldin models | head -1`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const code = await run(process.argv.slice(2), commands, process, stop.signal);
process.exitCode = code === 130 && stoppedBy === "SIGTERM" ? 143 : code;
