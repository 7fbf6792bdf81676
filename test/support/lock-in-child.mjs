// Takes the lock of its first argument in a process of its own. With a file as second argument: adds one to the number in
// it so many times as the third says, reading and writing in two steps; without: holds the lock until it is killed. Plain
// JavaScript on the built package.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "../../dist/core/lock.js";

const [path, counter, times] = process.argv.slice(2);
if (counter === undefined)
  await withLock(path, async () => {
    process.stdout.write("held\n");
    await sleep(60_000);
  });
for (let n = 0; n < Number(times); n++)
  await withLock(
    path,
    async () => {
      const before = Number(readFileSync(counter, "utf8"));
      await sleep(Math.random() * 4);
      writeFileSync(counter, String(before + 1));
      appendFileSync(`${counter}.log`, `${process.pid}\n`);
    },
    { patience: 60_000 },
  );
