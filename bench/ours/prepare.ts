// Times preparing 20 million ratings, from CSV to a dataset folder, with ML-20M's canonical protocol.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { prepareDataset } from "foldin";
import { serve } from "../contest.js";

const { values } = parseArgs({ options: { input: { type: "string", default: "" } } });

await serve("foldin", async () => {
  const folder = await mkdtemp(join(tmpdir(), "foldin-bench-"));
  const started = performance.now();
  await prepareDataset({
    input: values.input,
    out: join(folder, "dataset"),
    options: { protocol: "strong", minRating: 3.6, validationUsers: 10_000, testUsers: 10_000 },
  });
  const seconds = (performance.now() - started) / 1000;
  await rm(folder, { recursive: true });
  return [seconds];
});
