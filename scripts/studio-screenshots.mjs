// Takes the screenshots of docs/studio.md, light and dark: node scripts/studio-screenshots.mjs [--folder <folder>] [view ...]
// Without a folder, it prepares the demo catalogue and trains small models on it, with the built program (npm run build). A folder must
// have a dataset with titles, and at least two finished runs on it. Needs a Chromium (FOLDIN_CHROMIUM names one).
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import sharp from "sharp";

const root = join(import.meta.dirname, "..");
const output = join(root, "docs", "studio");
const program = join(root, "dist", "cli", "main.js");
const { values, positionals } = parseArgs({
  options: { folder: { type: "string" } },
  allowPositionals: true,
});

/** The runs of the demo: their models and options. */
const RUNS = {
  popularity: ["--model", "popularity"],
  ease: ["--model", "ease"],
  wmf: ["--model", "wmf", "--epochs", "8"],
  "mult-vae/latent-50": ["--model", "mult-vae", "--epochs", "30", "--set", "latent=50"],
  "mult-vae/latent-100": ["--model", "mult-vae", "--epochs", "30", "--set", "latent=100"],
  "mult-dae": ["--model", "mult-dae", "--epochs", "30"],
};

function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), "foldin-screenshots-"));
  const foldin = (...args) => {
    console.log(`foldin ${args.join(" ")}`);
    const { status, stderr } = spawnSync(process.execPath, [program, ...args], {
      cwd: folder,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stderr);
  };
  foldin("prepare", "demo", "--out", "data/demo");
  for (const [name, options] of Object.entries(RUNS))
    foldin("train", "data/demo", ...options, "--out", `runs/${name}`);
  return folder;
}

/** The attribute of the map's colours. */
const MAP_COLOUR = "genres";

/** What is shown: an address of the page, and what has to be done and be there first. */
function viewsOf({ runs, datasets }, { id: user, history }) {
  const best = runs
    .filter(({ on }) => on.test)
    .sort((a, b) => (b.on.test.metrics["ndcg@100"]?.mean ?? 0) - (a.on.test.metrics["ndcg@100"]?.mean ?? 0));
  const [{ dataset }] = best;
  const curved = runs.filter(({ epochs }) => epochs > 1).map(({ id }) => id);
  const about = new URLSearchParams({ dataset: dataset.id, of: "test", user, run: best[0].id });
  const liked = history.slice(0, 3).map(({ id }) => id);
  const side = new URLSearchParams({
    runs: [best[0], best.find(({ epochs }) => epochs > 1) ?? best[1]].map(({ id }) => id).join("|"),
    history: liked.join("\n"),
  });
  const mapped = best.find(({ epochs }) => epochs > 1) ?? best[0];
  const charts = (page) => page.locator(".chart svg").first().waitFor();
  return {
    runs: { at: `runs?${new URLSearchParams({ selected: curved.slice(0, 3).join("|") })}`, height: 780 },
    curves: {
      at: `runs?${new URLSearchParams({ selected: curved.slice(0, 3).join("|") })}`,
      height: 760,
      async before(page) {
        await charts(page);
        await page.getByRole("heading", { name: "Curves" }).evaluate((heading) => heading.scrollIntoView());
      },
    },
    compare: {
      at: `compare?${new URLSearchParams({
        runs: best
          .slice(0, 3)
          .map(({ id }) => id)
          .join("|"),
      })}`,
      height: 760,
      async before(page) {
        await page.getByRole("button", { name: "Evaluate and test" }).click();
        await page.getByRole("heading", { name: "Recall@50" }).waitFor({ timeout: 120_000 });
        await page.evaluate(() => globalThis.scrollTo(0, 0));
      },
    },
    dataset: {
      at: `dataset?${new URLSearchParams({ id: (datasets.find(({ id }) => id === dataset.id) ?? datasets[0]).id })}`,
      height: 900,
      before: charts,
    },
    user: {
      at: `user?${about}`,
      height: 900,
      before: (page) => page.locator(".recommended li").first().waitFor({ timeout: 60_000 }),
    },
    playground: {
      at: `playground?${side}`,
      height: 900,
      before: (page) => page.locator("li .title").nth(19).waitFor({ timeout: 60_000 }),
    },
    map: {
      at: `map?${new URLSearchParams({ run: mapped.id, colour: MAP_COLOUR, item: liked[0] })}`,
      height: 820,
      async before(page) {
        const compute = page.getByRole("button", { name: "Compute the map" });
        const drawn = page.getByRole("application");
        await compute.or(drawn).waitFor();
        if (await compute.isVisible()) await compute.click();
        await drawn.waitFor({ timeout: 120_000 });
      },
    },
  };
}

const folder = values.folder ?? makeFolder();
const executablePath = [process.env.FOLDIN_CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path && existsSync(path),
);
const server = spawn(process.execPath, [program, "studio", folder, "--port", "0"]);
let browser;
try {
  if (executablePath === undefined) throw new Error("there is no Chromium: name one with FOLDIN_CHROMIUM");
  const address = await new Promise((found) => {
    server.stderr.on("data", (text) => {
      const [url] = /http:\S+/.exec(String(text)) ?? [];
      if (url) found(url);
    });
  });
  const ask = async (path) => (await fetch(`${address}${path}`)).json();
  const answer = await ask("/api/folder");
  const dataset = encodeURIComponent(answer.runs.find((run) => run.on.test)?.dataset.id ?? "");
  const { users } = await ask(`/api/dataset/users?dataset=${dataset}&of=test&limit=20`);
  const { id } = users.find(({ heldOut }) => heldOut >= 8) ?? users[0];
  const views = viewsOf(answer, await ask(`/api/dataset/user?dataset=${dataset}&of=test&user=${id}`));
  const wanted = positionals.length > 0 ? positionals : Object.keys(views);
  mkdirSync(output, { recursive: true });
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  for (const name of wanted)
    for (const colorScheme of ["light", "dark"]) {
      const { at, height, before } = views[name];
      const page = await browser.newPage({ viewport: { width: 1200, height }, colorScheme });
      await page.goto(`${address}/#/${at}`);
      await page.locator("h1").waitFor();
      await before?.(page);
      // Charts are drawn when the page is idle.
      await page.waitForTimeout(1500);
      // The path on this machine concerns nobody.
      await page.locator(".top .folder").evaluate((place) => {
        place.textContent = "experiments";
      });
      const file = join(output, `${name}-${colorScheme}.png`);
      await sharp(await page.screenshot())
        .png({ palette: true, effort: 10 })
        .toFile(file);
      console.log(`wrote docs/studio/${name}-${colorScheme}.png`);
      await page.close();
    }
} finally {
  await browser?.close();
  server.kill();
  if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
}
