// Measures the first page of `foldin studio` over a folder with 200 runs, in Chromium: node bench/studio-first-page.mjs [runs]
// The runs are copies of one that is trained on the demo catalogue, with different seeds. Each attempt has a new server and an empty
// cache. Needs a build and a Chromium (FOLDIN_CHROMIUM names one).
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const RUNS = Number(process.argv[2] ?? 200);
const ATTEMPTS = 7;
const program = join(import.meta.dirname, "..", "dist", "cli", "main.js");
const executablePath = [process.env.FOLDIN_CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);
const root = mkdtempSync(join(tmpdir(), "foldin-bench-"));

function foldin(...args) {
  const { status, stderr } = spawnSync(process.execPath, [program, ...args], { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

function makeRuns() {
  foldin("prepare", "demo", "--out", "data");
  foldin("train", "data", "--model", "mult-vae", "--epochs", "20", "--out", "runs/1");
  for (let run = 2; run <= RUNS; run++) {
    const folder = join(root, "runs", String(run));
    cpSync(join(root, "runs", "1"), folder, { recursive: true });
    const file = join(folder, "config.json");
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), seed: run }));
  }
}

async function attempt(browser) {
  const server = spawn(process.execPath, [program, "studio", root, "--port", "0"]);
  const address = await new Promise((found) => {
    server.stderr.on("data", (text) => {
      const [url] = /http:\S+/.exec(String(text)) ?? [];
      if (url) found(url);
    });
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable", { timeDomain: "threadTicks" });
  // The page itself notes when its rows are there: asking it again and again would take its time.
  await page.addInitScript((wanted) => {
    new MutationObserver(() => {
      const rows = document.querySelectorAll("table.data tbody tr").length;
      const note = (name) => requestAnimationFrame(() => setTimeout(() => performance.mark(name)));
      if (rows > 0 && !globalThis.first) globalThis.first = note("first");
      if (rows >= wanted && !globalThis.all) globalThis.all = note("all");
    }).observe(document, { childList: true, subtree: true });
  }, RUNS);
  await page.goto(address);
  await page.waitForFunction(() => performance.getEntriesByName("all").length > 0);
  const { metrics } = await client.send("Performance.getMetrics");
  const found = await page.evaluate(() => ({
    first: performance.getEntriesByName("first")[0].startTime,
    all: performance.getEntriesByName("all")[0].startTime,
  }));
  await page.close();
  server.kill();
  return { ...found, cpu: 1000 * metrics.find(({ name }) => name === "TaskDuration").value };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

try {
  if (executablePath === undefined) throw new Error("there is no Chromium: name one with FOLDIN_CHROMIUM");
  makeRuns();
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const attempts = [];
  for (let n = 0; n < ATTEMPTS; n++) attempts.push(await attempt(browser));
  await browser.close();
  const row = (name) => {
    const values = attempts.map((one) => one[name]);
    const [low, middle, high] = [Math.min(...values), median(values), Math.max(...values)];
    return `${middle.toFixed(0)} ms (${low.toFixed(0)} to ${high.toFixed(0)})`;
  };
  console.log(`${RUNS} runs, ${ATTEMPTS} attempts, from the start of the navigation, median (range):`);
  console.log(`first screen of rows: ${row("first")}`);
  console.log(`all rows:             ${row("all")}`);
  console.log(`CPU time of the page: ${row("cpu")}`);
} finally {
  rmSync(root, { recursive: true, force: true });
}
