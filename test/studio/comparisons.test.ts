import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compare } from "../../src/experiments/compare/compare.js";
import { type ComparisonAnswer, comparisonAnswer } from "../../src/studio/api.js";
import { createStudio } from "../../src/studio/server.js";
import { accessibility } from "../support/accessibility.js";
import { browserPath } from "../support/browser.js";
import { foldin } from "../support/foldin.js";
import { writeRun } from "../support/run-folders.js";

const root = mkdtempSync(join(tmpdir(), "foldin-studio-"));
let studio: Awaited<ReturnType<typeof createStudio>>;

beforeAll(async () => {
  const made = async (...args: string[]) => {
    const { code, stderr } = await foldin(args, { cwd: root });
    expect(code, stderr).toBe(0);
  };
  await made("prepare", "demo", "--out", "data");
  for (const model of ["popularity", "ease"]) await made("train", "data", "--model", model, "--out", model);
  writeRun(join(root, "open"), { finished: false });
  // A run whose model cannot be loaded.
  writeRun(join(root, "broken"));
  studio = await createStudio({ folder: root });
});
afterAll(async () => {
  await studio?.close();
  rmSync(root, { recursive: true, force: true });
});

const headers = { host: "localhost:8090", origin: "http://localhost:8090" };
const post = (payload: object) =>
  studio.app.inject({ method: "POST", url: "/api/comparisons", headers, payload });
const state = async (id: string): Promise<ComparisonAnswer> => {
  const response = await studio.app.inject({ url: `/api/comparisons/${id}`, headers });
  return comparisonAnswer.parse(response.json());
};

/** Starts a comparison and waits for its end. */
async function outcome(payload: object): Promise<ComparisonAnswer> {
  const { id } = comparisonAnswer.parse((await post(payload)).json());
  await expect.poll(async () => (await state(id)).state, { timeout: 60_000 }).toMatch(/done|failed/);
  return state(id);
}

describe("comparisons in the studio", () => {
  it("find what foldin compare finds", async () => {
    const { comparison, state: ended } = await outcome({ runs: ["popularity", "ease"] });
    expect(ended).toBe("done");
    const runs = ["popularity", "ease"].map((name) => ({ name, path: join(root, name) }));
    const { pairs, systems, users } = await compare(runs);
    expect(comparison?.users).toBe(users);
    expect(comparison?.systems.map(({ id }) => id)).toEqual(systems.map(({ name }) => name));
    expect(comparison?.pairs).toEqual(
      pairs.map(({ metric, a, b, difference, standardError, randomisationHolm }) => ({
        ...{ metric, a, b, difference, standardError, p: randomisationHolm },
      })),
    );
    expect(comparison?.method).toContain("randomisation test (10,000 rounds)");
  });

  it("use a dataset of the folder where it is asked for, and refuse other data", async () => {
    renameSync(join(root, "data"), join(root, "moved"));
    try {
      const lost = await outcome({ runs: ["popularity", "ease"], metrics: ["recall@9"] });
      expect(lost.problem).toMatch(/data: no longer exists/);
      await studio.catalogue.look();
      const found = await outcome({ runs: ["popularity", "ease"], metrics: ["recall@9"], dataset: "moved" });
      expect([found.state, found.problem]).toEqual(["done", undefined]);
      const unknown = await post({ runs: ["popularity", "ease"], dataset: "data" });
      expect(unknown.json().detail).toBe(`404 there is no dataset data in ${root}`.slice(4));
    } finally {
      renameSync(join(root, "moved"), join(root, "data"));
      await studio.catalogue.look();
    }
  });

  it("are not computed again while the runs have not changed", async () => {
    const first = await outcome({ runs: ["popularity", "ease"], metrics: ["recall@7"] });
    const again = comparisonAnswer.parse(
      (await post({ runs: ["popularity", "ease"], metrics: ["recall@7"] })).json(),
    );
    expect(again).toEqual(first);
  });

  it("say what is wrong with a metric or a model", async () => {
    const bad = await outcome({ runs: ["popularity", "ease"], metrics: ["ndgc@10"] });
    expect([bad.state, bad.problem]).toEqual(["failed", expect.stringMatching(/ndgc@10/)]);
    const broken = await outcome({ runs: ["broken", "ease"] });
    expect(broken.state).toBe("failed");
    expect(broken.problem).toMatch(/ease|broken|fingerprint|dataset/);
  });

  it("refuse unknown runs, runs without a model, and one run", async () => {
    const refusal = async (payload: object) => {
      const response = await post(payload);
      return `${response.statusCode} ${response.json().detail}`;
    };
    expect(await refusal({ runs: ["ease", "../x"] })).toMatch(/^404 there is no run \.\.\/x in /);
    expect(await refusal({ runs: ["ease", "open"] })).toBe("409 open has no model to evaluate");
    expect(await refusal({ runs: ["ease"] })).toMatch(/^400 body\.runs: /);
    expect(await refusal({ runs: ["ease", "popularity"], on: "train" })).toMatch(/^400 body\.on: /);
  });

  it("can be stopped while they wait or run, and the next one starts", async () => {
    const started = await Promise.all(
      [11, 12, 13].map(async (k) => {
        const response = await post({ runs: ["popularity", "ease"], metrics: [`ndcg@${k}`] });
        return comparisonAnswer.parse(response.json());
      }),
    );
    // The first one waits too while the process of the one before is ending.
    expect(started.slice(1).map((answer) => answer.state)).toEqual(["waiting", "waiting"]);
    const stop = async (id: string) =>
      (await studio.app.inject({ method: "DELETE", url: `/api/comparisons/${id}`, headers })).statusCode;
    expect([await stop(started[0].id), await stop(started[1].id), await stop(started[1].id)]).toEqual([
      204, 204, 404,
    ]);
    await expect.poll(async () => (await state(started[2].id)).state, { timeout: 60_000 }).toBe("done");
  });

  it.skipIf(!browserPath)("are shown with what differs and what may be chance", async () => {
    const output = resolve(import.meta.dirname, "../../test-output/studio");
    mkdirSync(output, { recursive: true });
    const address = await studio.listen(0);
    const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
      const problems: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") problems.push(message.text());
      });
      await page.goto(`${address}/#/runs?filter=state=finished`);
      for (const name of ["ease", "popularity"])
        await page.getByLabel(`Draw the curves of ${name}`, { exact: true }).check();
      await page.getByRole("link", { name: "Compare 2 runs" }).click();
      await page.getByRole("button", { name: "Evaluate and test" }).click();
      await page.getByRole("heading", { name: "NDCG@100" }).waitFor({ timeout: 60_000 });
      const table = page.getByRole("region", { name: "Pairs in ndcg@100" });
      const best = table.locator("tbody tr").first();
      expect(await best.locator("th").textContent()).toBe("ease");
      expect(await best.locator("td").nth(2).textContent()).toMatch(
        /^\+0\.\d{4} ± 0\.\d{4}, p [<=] 0\.\d{3}/,
      );
      expect(await page.getByRole("row", { name: /^model / }).textContent()).toBe("modeleasepopularity");
      expect(await accessibility(page)).toEqual([]);
      await page.screenshot({ path: join(output, "compare.png"), fullPage: true });
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
