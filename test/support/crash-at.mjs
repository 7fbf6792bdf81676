// Preloaded (`node --import`): kills the process just before its CRASH_AT-th change of a name on the disk (a rename, a
// removal, a new folder). Only what lies below CRASH_IN counts.
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const { CRASH_AT, CRASH_IN } = process.env;
let left = Number(CRASH_AT);
const dies = (path) => String(path).startsWith(CRASH_IN) && --left === 0;
const kill = () => process.kill(process.pid, "SIGKILL");

for (const name of ["rename", "rm", "mkdir", "rmdir"]) {
  const before = promises[name];
  promises[name] = async (...args) => {
    if (dies(args[0])) kill();
    return before(...args);
  };
}
for (const name of ["renameSync", "unlinkSync", "rmSync"]) {
  const before = fs[name];
  fs[name] = (...args) => {
    if (dies(args[0])) kill();
    return before(...args);
  };
}
syncBuiltinESMExports();
