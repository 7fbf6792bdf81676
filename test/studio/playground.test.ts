import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recommend } from "../../src/recommender/recommend.js";
import { loadRecommender } from "../../src/serving/load.js";
import { createStudio } from "../../src/studio/server.js";
import { accessibility } from "../support/accessibility.js";
import { browserPath } from "../support/browser.js";
import { makeFilms } from "../support/films.js";
import { writeRun } from "../support/run-folders.js";

const root = mkdtempSync(join(tmpdir(), "foldin-studio-"));
let studio: Awaited<ReturnType<typeof createStudio>>;

beforeAll(async () => {
  await makeFilms(root);
  writeRun(join(root, "open"), { finished: false });
  studio = await createStudio({ folder: root });
});
afterAll(async () => {
  await studio?.close();
  rmSync(root, { recursive: true, force: true });
});

const headers = { host: "localhost:8090", origin: "http://localhost:8090" };

describe("requests to models", () => {
  const post = async (payload: object, others: object = {}) => {
    const response = await studio.app.inject({
      ...{ method: "POST", url: "/api/recommendations", payload },
      headers: { ...headers, ...others },
    });
    return { status: response.statusCode, ...response.json() };
  };
  const get = async (url: string) => {
    const response = await studio.app.inject({ url, headers });
    return { status: response.statusCode, ...response.json() };
  };

  it("are answered as the library answers them", async () => {
    const model = await loadRecommender(join(root, "ease"));
    const { items } = await post({ run: "ease", history: ["1", "2"], k: 3, diversity: 0.5, explain: true });
    const expected = await recommend(model, ["1", "2"], { k: 3, diversity: 0.5, explain: true });
    expect(items).toEqual(expected.items);
    model.dispose();
  });

  it("name the field that is wrong", async () => {
    const detail = async (payload: object) => {
      const { status, detail } = await post(payload);
      return `${status} ${detail}`;
    };
    expect(await detail({ run: "ease", history: [], k: 0 })).toMatch(/^400 body\.k: /);
    expect(await detail({ run: "ease", history: "1" })).toMatch(/^400 body\.history: /);
    expect(await detail({ run: "ease", history: [], weight: 1 })).toMatch(/^400 body\.weight: /);
    expect(await detail({ run: "ease", history: [], novelty: 2 })).toMatch(/^400 body\.novelty: /);
    expect(await detail({ run: "ease", history: [], where: "genres = " })).toMatch(
      /^400 filter, position \d+: /,
    );
    expect(await detail({ run: "ease", history: ["twins"] })).toMatch(
      /^400 history\.0: 2 items are called "twins"/,
    );
    expect(await detail({ run: "../ease", history: [] })).toMatch(/^404 there is no run \.\.\/ease/);
    expect(await detail({ run: "open", history: [] })).toBe(
      "409 open has no model: its training is not finished",
    );
    const many = { run: "ease", history: Array.from({ length: 201 }, (_, i) => `${i}`), explain: true };
    expect(await detail(many)).toMatch(/^400 body\.explain: expected a history of at most 200/);
    expect((await get("/api/items?run=ease&search=a&limit=0")).detail).toMatch(/^query\.limit: /);
    expect((await get(`/api/items?run=ease&search=${"a".repeat(201)}`)).detail).toMatch(/^query\.search: /);
    expect((await get("/api/model?run=nothing")).status).toBe(404);
  });

  it("are refused from other pages and other hosts", async () => {
    const payload = { run: "ease", history: [] };
    expect((await post(payload, { origin: "http://localhost:3000" })).status).toBe(403);
    expect((await post(payload, { host: "evil.example" })).status).toBe(421);
    expect((await post(payload, { "sec-fetch-site": "same-site" })).status).toBe(403);
  });
});

describe.skipIf(!browserPath)("the playground in a browser", () => {
  const output = resolve(import.meta.dirname, "../../test-output/studio");
  let browser: Browser;
  let address: string;
  const problems: string[] = [];

  beforeAll(async () => {
    mkdirSync(output, { recursive: true });
    address = await studio.listen(0);
    browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
  });
  afterAll(() => browser?.close());

  async function open(query: string, options: object = {}): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 1360, height: 900 }, ...options });
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      // Chromium reports answers of 400 as errors.
      if (message.type() === "error" && !message.text().includes("status of 400"))
        problems.push(message.text());
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(`${address}/`)) problems.push(`asks for ${request.url()}`);
    });
    await page.goto(`${address}/#/playground?${query}`);
    await page.getByRole("heading", { name: "Playground" }).waitFor();
    return page;
  }
  const column = (page: Page, run: string) => page.getByRole("region", { name: run, exact: true });
  const titles = (page: Page, run: string) => column(page, run).locator("li .title").allTextContents();

  it("finds titles as they are typed, by keyboard, and shows the recommendations of two models", async () => {
    const page = await open("runs=ease|popularity");
    await expect.poll(async () => (await titles(page, "popularity")).length).toBe(10);
    const history = page.getByRole("combobox", { name: "History" });
    await history.fill("film 5");
    await page.getByRole("option", { name: "film 5 (1965)" }).waitFor();
    expect(await history.getAttribute("aria-expanded")).toBe("true");
    await history.press("Enter");
    await history.fill("film 9");
    await page.getByRole("option", { name: "film 9 (1969)" }).waitFor();
    await history.press("ArrowDown");
    await history.press("ArrowUp");
    await history.press("Enter");
    const model = await loadRecommender(join(root, "ease"));
    const { items } = await recommend(model, ["5", "9"], { k: 10 });
    model.dispose();
    await expect.poll(() => titles(page, "ease")).toEqual(items.map(({ title }) => title));
    expect(await column(page, "ease").locator(".reasons").first().textContent()).toMatch(
      /^because of film \d \(19\d\d\) \(\+0\.\d{3}\)/,
    );
    // The address has everything.
    await page.reload();
    await expect.poll(() => titles(page, "ease")).toEqual(items.map(({ title }) => title));
    await page.getByLabel("Remove film 5 (1965)").waitFor();
    expect(await accessibility(page)).toEqual([]);
    await page.screenshot({ path: join(output, "playground.png"), fullPage: true });
    await page.close();
  });

  it("suggests similar titles for a mistyped one", async () => {
    const page = await open("runs=ease");
    await page.getByRole("combobox", { name: "History" }).fill("fillm 7");
    await page.getByText("No title contains “fillm 7”. Did you mean:").waitFor();
    await page.getByRole("option", { name: "film 7 (1967)" }).click();
    await page.getByLabel("Remove film 7 (1967)").waitFor();
    await page.getByRole("combobox", { name: "History" }).fill("nothing like it at all");
    await page.getByText("No item is called “nothing like it at all”.").waitFor();
    await page.close();
  });

  it("applies rules as they are turned, and marks a mistake in the filter", async () => {
    const page = await open("runs=ease&history=5");
    const filter = page.getByRole("searchbox", { name: "Filter", exact: true });
    await filter.fill("genres = war and yaer > 1990");
    await page
      .getByText(/filter, position 18: the items have no attribute "yaer".*Did you mean "year"\?/)
      .waitFor();
    expect(await page.locator(".marked mark").textContent()).toBe("y");
    expect(await filter.getAttribute("aria-invalid")).toBe("true");
    expect(await accessibility(page)).toEqual([]);
    await page.screenshot({ path: join(output, "playground-mistake.png"), fullPage: true });
    await filter.fill("year >= 1985");
    const years = async () =>
      (await titles(page, "ease")).map((title) => Number(/\((\d{4})\)/.exec(title)?.[1] ?? 2000));
    await expect.poll(async () => Math.min(...(await years()))).toBeGreaterThanOrEqual(1985);
    await page.getByLabel("Add a limit per value of an attribute").selectOption("series");
    await expect.poll(async () => (await titles(page, "ease")).length).toBe(4);
    await page.getByLabel("Novelty").fill("1");
    await page.getByRole("button", { name: "Add a boost" }).click();
    await page.getByLabel("Boost 1: items (a filter)").fill("year = 1998");
    await page.getByLabel("Boost 1: by").fill("1");
    await expect.poll(async () => (await titles(page, "ease"))[0]).toBe("film 38 (1998)");
    expect(decodeURIComponent(page.url())).toMatch(/novelty=1.*boost=1:\+year\+=\+1998/);
    await filter.fill("genres = comdy");
    await page.getByText("No item has genres = comdy. Did you mean comedy?").waitFor();
    await page.getByText("No item is left").waitFor();
    await page.close();
  });

  it("leads from an item to similar items and back", async () => {
    const page = await open("runs=ease&history=5");
    await expect.poll(async () => (await titles(page, "ease")).length).toBe(10);
    const [first] = await titles(page, "ease");
    await page.getByRole("button", { name: `Items similar to ${first}` }).click();
    await page.getByText(`Items similar to ${first}`).waitFor();
    await expect.poll(async () => (await titles(page, "ease")).includes(first)).toBe(false);
    await page.getByRole("button", { name: "Back to the history" }).click();
    await expect.poll(async () => (await titles(page, "ease"))[0]).toBe(first);
    await page.getByRole("button", { name: `Exclude ${first}` }).click();
    await expect.poll(async () => (await titles(page, "ease")).includes(first)).toBe(false);
    await page.close();
  });

  it("shows the problem of one model next to the answers of another", async () => {
    const page = await open("runs=ease|nothing");
    await expect.poll(async () => (await titles(page, "ease")).length).toBe(10);
    await column(page, "nothing").getByRole("alert").getByText("there is no run nothing").waitFor();
    problems.splice(0, problems.length, ...problems.filter((text) => !text.includes("status of 404")));
    await page.close();
  });

  it.each([
    { name: "dark", options: { colorScheme: "dark" } },
    { name: "narrow", options: { viewport: { width: 375, height: 800 } } },
  ])("is accessible and does not scroll sideways: $name", async ({ name, options }) => {
    const page = await open("runs=ease|popularity&history=5%0A9&where=year > 1960&diversity=0.3", options);
    await expect.poll(async () => (await titles(page, "popularity")).length).toBe(10);
    expect(await accessibility(page)).toEqual([]);
    const wide = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    expect(wide).toBe(0);
    await page.screenshot({ path: join(output, `playground-${name}.png`), fullPage: true });
    await page.close();
  });

  it("never failed, asked for anything elsewhere, or broke its policy", () => {
    expect(problems).toEqual([]);
  });
});
