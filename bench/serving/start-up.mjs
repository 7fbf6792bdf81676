// Times the start of a program up to the first recommendation: imports, loading, one response. Each time in a new process.
//
//   node bench/serving/start-up.mjs <run folder> [times]

import { spawnSync } from "node:child_process";

const [run, times = "7"] = process.argv.slice(2);
const program = `
  const start = performance.now();
  const { loadRecommender, recommend } = await import("foldin/serving");
  const imported = performance.now();
  const recommender = await loadRecommender(${JSON.stringify(run)});
  const loaded = performance.now();
  await recommend(recommender, [...recommender.items.ids.slice(0, 50)], { k: 10 });
  const answered = performance.now();
  console.log(JSON.stringify({ import: imported - start, load: loaded - imported, "first answer": answered - loaded, all: answered - start }));
  recommender.dispose();`;
const runs = Array.from({ length: Number(times) }, () => {
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  if (stderr) process.stderr.write(stderr);
  return JSON.parse(stdout);
});
for (const name of Object.keys(runs[0])) {
  const sorted = runs.map((run) => run[name]).sort((a, b) => a - b);
  console.log(`${name}: median ${sorted[sorted.length >> 1].toFixed(0)} ms, best ${sorted[0].toFixed(0)} ms`);
}
