// Compares the peak memory of training with foldin's estimate before training: 136,000 items, one epoch. The estimate must not
// exceed the peak, or foldin would refuse runs that fit. Linux, 10 minutes:
//
//   node bench/training-memory.mjs [model ...]

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const models = {
  "mult-vae": ["hidden=300", "epochs=1"],
  "mult-dae": ["epochs=1"],
  "rec-vae": ["hidden=200", "encoderPasses=1", "decoderPasses=1", "epochs=1"],
  vamp: ["hidden=100", "latent=50", "pseudoInputs=200", "epochs=1"],
  wmf: ["factors=200", "epochs=2"],
  cdae: ["latent=200", "epochs=1"],
};

const folder = mkdtempSync(join(tmpdir(), "foldin-memory-"));
try {
  const rows = ["user,item"];
  let state = 3;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  for (let user = 0; user < 1500; user++)
    for (let n = 0; n < 100; n++) rows.push(`${user},${next() % 1_000_000}`);
  writeFileSync(join(folder, "rows.csv"), rows.join("\n"));
  foldin(["prepare", join(folder, "rows.csv"), "--validation-users", "20", "--test-users", "20"], "data");
  // The memory of a model that needs almost nothing.
  const base = foldin(["train", join(folder, "data"), "--model", "popularity"], "popularity").peak;
  console.log("model      estimate   measured   (MiB)");
  for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(models)) {
    const options = models[name].flatMap((option) => ["--set", option]);
    const train = ["train", join(folder, "data"), "--model", name, ...options];
    // With too little address space it is refused, and the message contains the estimate.
    const refused = foldin(train, "refused", "ulimit -v 1900000; ").text;
    const [, size, unit] = /needs ([\d.]+) ([GM])iB/.exec(refused) ?? [];
    const estimate = Math.round(Number(size) * (unit === "G" ? 1024 : 1));
    const measured = foldin(train, name).peak - base;
    console.log(`${name.padEnd(9)}${String(estimate).padStart(10)}${String(measured).padStart(11)}`);
    if (!(estimate <= measured)) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** Runs a command that writes a folder; the peak of its resident memory, in MiB. */
function foldin(args, out, before = "") {
  const peak = join(folder, "peak");
  const report = `process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(peak)}, String(process.resourceUsage().maxRSS)))`;
  writeFileSync(join(folder, "report.cjs"), report);
  const words = [
    process.execPath,
    "--require",
    join(folder, "report.cjs"),
    main,
    ...args,
    "--out",
    join(folder, out),
  ];
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const { status, stderr, stdout } = spawnSync("bash", ["-c", `${before}exec ${quoted}`], {
    encoding: "utf8",
  });
  if (status !== 0 && before === "") throw new Error(stderr);
  return {
    peak: Math.round(Number(spawnSync("cat", [peak], { encoding: "utf8" }).stdout) / 1024),
    text: stdout + stderr,
  };
}
