import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadDataset } from "../../src/data/dataset.js";
import { describeDataset } from "../../src/data/describe.js";
import { recommend } from "../../src/recommender/recommend.js";
import { loadRecommender } from "../../src/serving/load.js";
import { rowIndices } from "../../src/sparse/csr.js";
import type { DatasetAnswer, ItemsPage, UserAnswer, UsersPage } from "../../src/studio/dataset-api.js";
import { Datasets } from "../../src/studio/datasets.js";
import { createStudio } from "../../src/studio/server.js";
import { accessibility } from "../support/accessibility.js";
import { browserPath } from "../support/browser.js";
import { foldin } from "../support/foldin.js";
import { writeManifest } from "../support/run-folders.js";

const root = mkdtempSync(join(tmpdir(), "foldin-studio-"));
const output = resolve(import.meta.dirname, "../../test-output/studio");
let studio: Awaited<ReturnType<typeof createStudio>>;

beforeAll(async () => {
  const made = async (...args: string[]) => {
    const { code, stderr } = await foldin(args, { cwd: root });
    expect(code, stderr).toBe(0);
  };
  await made("prepare", "demo", "--out", "data");
  for (const model of ["popularity", "ease"]) await made("train", "data", "--model", model, "--out", model);
  // A dataset whose tables are missing.
  writeManifest(join(root, "broken"), "broken");
  mkdirSync(output, { recursive: true });
  studio = await createStudio({ folder: root });
});
afterAll(async () => {
  await studio?.close();
  rmSync(root, { recursive: true, force: true });
});

const get = (url: string) => studio.app.inject({ url, headers: { host: "localhost:8090" } });
const answer = async <T>(url: string): Promise<T> => {
  const response = await get(url);
  expect(response.statusCode, response.body).toBe(200);
  return response.json() as T;
};

describe("a dataset in the studio", () => {
  it("is described as foldin describe does", async () => {
    const found = await answer<DatasetAnswer>("/api/dataset?dataset=data");
    const expected = await describeDataset(join(root, "data"), { ratings: true });
    expect(found).toMatchObject({
      ...{ historyHistogram: expected.historyHistogram, itemHistogram: expected.itemHistogram },
      ...{ popularity: expected.popularity, attributes: expected.attributes, density: expected.density },
    });
    expect(found.longTail.items).toBe(expected.items);
  });

  it("answers searches through items and users", async () => {
    const { total, items } = await answer<ItemsPage>(
      "/api/dataset/items?dataset=data&where=year%20%3E%3D%202020&limit=5",
    );
    expect(total).toBeGreaterThan(5);
    expect(items).toHaveLength(5);
    for (const { attributes } of items) expect(Number(attributes?.year[0])).toBeGreaterThanOrEqual(2020);
    const { users } = await answer<UsersPage>("/api/dataset/users?dataset=data&of=test&limit=1");
    const dataset = await loadDataset(join(root, "data"));
    expect(users[0].id).toBe(dataset.test.users.ids[0]);
    const user = await answer<UserAnswer>(`/api/dataset/user?dataset=data&of=test&user=${users[0].id}`);
    expect(new Set(user.heldOut.map(({ id }) => id))).toEqual(
      new Set(Array.from(rowIndices(dataset.test.heldOut, 0), (item) => dataset.items.ids[item])),
    );
  });

  it("names what is wrong with a question", async () => {
    const detail = async (url: string) => {
      const response = await get(url);
      return `${response.statusCode} ${response.json().detail}`;
    };
    expect(await detail("/api/dataset?dataset=none")).toBe(`404 there is no dataset none in ${root}`);
    expect(await detail("/api/dataset?dataset=..")).toMatch(/^404 /);
    expect(await detail("/api/dataset/items?dataset=data&limit=1000")).toMatch(/^400 query\.limit: /);
    expect(await detail("/api/dataset/items?dataset=data&from=-1")).toMatch(/^400 query\.from: /);
    expect(await detail("/api/dataset/items?dataset=data&where=genre%20%3D%20x")).toMatch(
      /^400 where, position 1: the items have no attribute "genre".*Did you mean "genres"\?$/,
    );
    expect(await detail("/api/dataset/users?dataset=data&of=all")).toMatch(/^400 query\.of: /);
    expect(await detail("/api/dataset/user?dataset=data&user=nobody&of=test")).toBe(
      "400 nobody is not one of the test users",
    );
    expect(await detail("/api/dataset?dataset=broken")).toMatch(/^400 .*broken.*items\.parquet/);
  });

  it("is loaded again when its manifest has changed, and released when nobody asks", async () => {
    const datasets = new Datasets({ idle: 100 });
    try {
      const located = { path: join(root, "data"), stamp: "1" };
      const before = await datasets.describe(located);
      expect(datasets.loaded).toBe(1);
      await expect.poll(() => datasets.loaded).toBe(0);
      expect(await datasets.describe(located)).toBe(before);
      expect(datasets.loaded).toBe(0);
      expect(await datasets.describe({ ...located, stamp: "2" })).toEqual(before);
      expect(datasets.loaded).toBe(1);
    } finally {
      datasets.close();
    }
  });

  it("notices a change of the manifest", async () => {
    const stamp = async () => (await studio.catalogue.findDataset("data"))?.stamp;
    const before = await stamp();
    appendFileSync(join(root, "data", "manifest.json"), "\n");
    expect(await stamp()).not.toBe(before);
    expect((await answer<ItemsPage>("/api/dataset/items?dataset=data")).total).toBe(1200);
  });
});

describe.skipIf(!browserPath)("the pages of a dataset and of a user", () => {
  async function visit(look: (open: (path: string, options?: object) => Promise<Page>) => Promise<void>) {
    const address = studio.app.server.listening
      ? `http://127.0.0.1:${(studio.app.server.address() as { port: number }).port}`
      : await studio.listen(0);
    const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
    const problems: string[] = [];
    try {
      await look(async (path, options = {}) => {
        const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
        page.on("pageerror", (error) => problems.push(error.message));
        page.on("console", (message) => {
          if (["error", "warning"].includes(message.type())) problems.push(message.text());
        });
        await page.goto(`${address}/#/${path}`);
        await page.locator("h1").waitFor();
        return page;
      });
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
    }
  }

  it("draw the distributions and the long tail, and search by keyboard", async () => {
    await visit(async (open) => {
      const page = await open("datasets");
      await page.getByRole("link", { name: "data", exact: true }).click();
      await expect.poll(() => page.locator(".chart svg").count(), { timeout: 30_000 }).toBe(3);
      await page.getByText("Values as a table").first().click();
      await page.getByLabel("Search items").focus();
      await page.keyboard.type("love");
      await page.getByLabel("Where").fill("year >= 2000");
      const status = page.getByText(/^\d+ items$/);
      await expect.poll(async () => Number.parseInt((await status.textContent()) ?? "", 10)).toBeLessThan(58);
      const shown = await page.getByRole("region", { name: "Table of items" }).locator("tbody tr").count();
      expect(shown).toBeGreaterThan(0);
      expect(await accessibility(page)).toEqual([]);
      await page.screenshot({ path: join(output, "dataset.png"), fullPage: true });
      // The search is in the address.
      await page.reload();
      await expect
        .poll(() => page.getByRole("region", { name: "Table of items" }).locator("tbody tr").count())
        .toBe(shown);
      await page.getByLabel("Search items").fill("");
      await page.getByLabel("Where").fill("");
      await page.getByText("1,200 items").waitFor();
      await page.getByRole("button", { name: "Next items" }).press("Enter");
      await page.getByText("21–40 of 1,200").waitFor();
    });
  });

  it("show a test user with hits, and lead to the next one", async () => {
    const dataset = await loadDataset(join(root, "data"));
    const recommender = await loadRecommender(join(root, "ease"));
    const hitsOf = async (row: number) => {
      const history = Uint32Array.from(rowIndices(dataset.test.foldIn, row));
      const wanted = new Set(rowIndices(dataset.test.heldOut, row));
      const { items } = await recommend(recommender, history, { k: 20 });
      return items.filter(({ index }) => wanted.has(index)).map(({ title }) => title);
    };
    let row = 0;
    while ((await hitsOf(row)).length === 0) row++;
    const hits = await hitsOf(row);
    recommender.dispose();
    await visit(async (open) => {
      const user = dataset.test.users.ids[row];
      const page = await open(`user?dataset=data&of=test&user=${user}&run=ease`);
      await page.locator(".recommended li").nth(19).waitFor({ timeout: 30_000 });
      const marked = await page.locator(".recommended .hit").allTextContents();
      expect(marked).toEqual(hits.map((title) => `${title}held out`));
      const length = dataset.test.heldOut.offsets[row + 1] - dataset.test.heldOut.offsets[row];
      await page.getByText(`${hits.length} of the ${length} held-out items among the first 20.`).waitFor();
      expect(await accessibility(page)).toEqual([]);
      await page.screenshot({ path: join(output, "user.png"), fullPage: true });
      await page.getByLabel("Run").selectOption("popularity");
      await page.getByRole("link", { name: "Next" }).press("Enter");
      await expect
        .poll(() => page.locator("h1").textContent())
        .toBe(`User ${dataset.test.users.ids[row + 1]}`);
      expect(await page.getByLabel("Run").inputValue()).toBe("popularity");
      await page.getByLabel("User id").fill(user);
      await page.keyboard.press("Enter");
      await expect.poll(() => page.locator("h1").textContent()).toBe(`User ${user}`);
    });
  });

  it.each([
    { name: "dark", options: { colorScheme: "dark" } },
    { name: "narrow", options: { viewport: { width: 375, height: 800 } } },
  ])("are accessible and do not scroll sideways: $name", async ({ name, options }) => {
    await visit(async (open) => {
      for (const view of ["dataset?id=data", "user?dataset=data&of=test&user=70"]) {
        const page = await open(view, options);
        if (view.startsWith("dataset"))
          await expect.poll(() => page.locator(".chart svg").count(), { timeout: 30_000 }).toBe(3);
        else await page.locator("table.data").first().waitFor({ timeout: 30_000 });
        expect(await accessibility(page)).toEqual([]);
        expect(
          await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
        ).toBe(0);
        await page.screenshot({ path: join(output, `${view.split("?")[0]}-${name}.png`), fullPage: true });
        await page.close();
      }
    });
  });
});
