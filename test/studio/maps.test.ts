import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ItemMap, MapAnswer } from "../../src/studio/map-api.js";
import { Maps } from "../../src/studio/maps.js";
import { createStudio } from "../../src/studio/server.js";
import { accessibility } from "../support/accessibility.js";
import { browserPath } from "../support/browser.js";
import { FILMS, makeFilms } from "../support/films.js";

const root = mkdtempSync(join(tmpdir(), "foldin-studio-"));
const cache = mkdtempSync(join(tmpdir(), "foldin-cache-"));
let studio: Awaited<ReturnType<typeof createStudio>>;

beforeAll(async () => {
  await makeFilms(root, ["wmf factors=4", "popularity"]);
  studio = await createStudio({ folder: root, cache });
});
afterAll(async () => {
  await studio?.close();
  for (const folder of [root, cache]) rmSync(folder, { recursive: true, force: true });
});

const headers = { host: "localhost:8090", origin: "http://localhost:8090" };
const post = (payload: object) => studio.app.inject({ method: "POST", url: "/api/maps", headers, payload });
const get = (url: string) => studio.app.inject({ url, headers });
const state = async (id: string): Promise<MapAnswer> => (await get(`/api/maps/${id}`)).json();

async function mapOf(run: string): Promise<MapAnswer> {
  const { id } = (await post({ run })).json() as MapAnswer;
  await expect.poll(async () => (await state(id)).state, { timeout: 60_000 }).toMatch(/done|failed/);
  return state(id);
}
const fileOf = () => join(cache, readdirSync(cache)[0]);

describe("maps of items", () => {
  it("have the items of a model with titles, users, colours and the nearest items", async () => {
    const { id, state } = await mapOf("wmf");
    expect(state).toBe("done");
    const map = (await get(`/api/maps/${id}/points`)).json() as ItemMap;
    expect([map.ids.length, map.x.length, map.y.length, map.nearest]).toEqual([FILMS, FILMS, FILMS, 10]);
    expect(map.titles).toContain("film 5 (1965)");
    expect(Math.max(...(map.users ?? []))).toBeGreaterThan(20);
    expect(map.colours.map(({ attribute }) => attribute)).toEqual(["year", "genres", "series"]);
    // The nearest items are of the same series.
    const [, , series] = map.colours;
    const own = map.near.map(
      (other, at) => series.codes[other] === series.codes[Math.floor(at / map.nearest)],
    );
    expect(own.filter(Boolean).length / own.length).toBeGreaterThan(0.7);
  });

  it("are kept in the cache folder, also for the next studio", async () => {
    const before = statSync(fileOf()).mtimeMs;
    expect((await post({ run: "wmf" })).json().state).toBe("done");
    const maps = new Maps(cache);
    expect((await maps.start(join(root, "wmf"))).state).toBe("done");
    await maps.close();
    expect(statSync(fileOf()).mtimeMs).toBe(before);
    expect(readdirSync(cache).length).toBe(1);
  });

  it("are computed again when the model has changed, or the file is damaged or gone", async () => {
    const { id } = await mapOf("wmf");
    utimesSync(join(root, "wmf", "model", "model.safetensors"), 1, 1);
    const changed = await mapOf("wmf");
    expect(changed.id).not.toBe(id);
    // The file now belongs to the changed model.
    expect((await get(`/api/maps/${id}/points`)).statusCode).toBe(404);
    expect((await get(`/api/maps/${changed.id}/points`)).statusCode).toBe(200);
    expect(readdirSync(cache).length).toBe(1);
    for (const damage of ["{", JSON.stringify({ formatVersion: 2 })]) {
      writeFileSync(fileOf(), damage);
      expect((await post({ run: "wmf" })).json().state).toMatch(/waiting|running/);
      expect((await mapOf("wmf")).state).toBe("done");
    }
    rmSync(fileOf());
    expect((await mapOf("wmf")).state).toBe("done");
  });

  it("say what is wrong", async () => {
    const failed = await mapOf("popularity");
    expect([failed.state, failed.problem]).toEqual([
      "failed",
      "a popularity model does not tell its items apart: their vectors are the same or zero. Choose another model",
    ]);
    const detail = async (payload: object) => {
      const response = await post(payload);
      return `${response.statusCode} ${response.json().detail}`;
    };
    expect(await detail({ run: "../wmf" })).toMatch(/^404 there is no run \.\.\/wmf/);
    expect(await detail({})).toMatch(/^400 body\.run: /);
    expect(await detail({ run: "wmf", seed: 3 })).toMatch(/^400 body\.seed: /);
    expect((await get("/api/maps/nothing")).statusCode).toBe(404);
    expect((await get("/api/maps/nothing/points")).statusCode).toBe(404);
    const foreign = { ...headers, origin: "http://localhost:3000" };
    const refused = await studio.app.inject({
      ...{ method: "POST", url: "/api/maps", headers: foreign, payload: { run: "wmf" } },
    });
    expect(refused.statusCode).toBe(403);
  });

  it("can be stopped while they are computed", async () => {
    rmSync(fileOf());
    const { id } = (await post({ run: "wmf" })).json();
    const stop = async () =>
      (await studio.app.inject({ method: "DELETE", url: `/api/maps/${id}`, headers })).statusCode;
    expect([await stop(), await stop()]).toEqual([204, 404]);
    expect((await get(`/api/maps/${id}`)).statusCode).toBe(404);
  });

  it("are in a temporary folder where no cache folder is given, which is removed at the end", async () => {
    const maps = new Maps();
    const { id } = await maps.start(join(root, "wmf"));
    await expect.poll(() => maps.get(id)?.state, { timeout: 60_000 }).toBe("done");
    expect(await maps.read(id)).toContain("film 5 (1965)");
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("foldin-maps-"));
    await maps.close();
    const after = before.filter((name) => existsSync(join(tmpdir(), name)));
    expect(after.length).toBe(before.length - 1);
  });
});

describe.skipIf(!browserPath)("the map in a browser", () => {
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
      if (["error", "warning"].includes(message.type())) problems.push(message.text());
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(`${address}/`)) problems.push(`asks for ${request.url()}`);
    });
    await page.goto(`${address}/#/map?${query}`);
    return page;
  }
  const map = (page: Page) => page.getByRole("application");
  const selected = (page: Page) => page.getByRole("region", { name: "Selected item" }).locator("h2");
  const view = (page: Page) => new URLSearchParams(page.url().split("?")[1]).get("view");

  it("finds an item by its title, and leads to its nearest items by keyboard", async () => {
    const page = await open("run=wmf");
    await map(page).waitFor({ timeout: 60_000 });
    await page.getByRole("combobox", { name: "Find an item" }).fill("film 9");
    await page.getByRole("option", { name: "film 9 (1969)" }).waitFor();
    await page.keyboard.press("Enter");
    await expect.poll(() => selected(page).textContent()).toBe("film 9 (1969)");
    await expect.poll(() => view(page)).toMatch(/,8\.00$/);
    const near = page.locator("ol.near button");
    expect(await near.count()).toBe(10);
    const title = await near.first().textContent();
    await near.first().focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => selected(page).textContent()).toBe(title);
    await page.reload();
    await expect.poll(() => selected(page).textContent()).toBe(title);
    expect(await accessibility(page)).toEqual([]);
    await page.screenshot({ path: join(output, "map.png"), fullPage: true });
    await page.getByRole("link", { name: "Recommendations for a user with this item" }).click();
    await page.getByLabel(`Remove ${title}`).waitFor();
    await page.close();
  });

  it("is zoomed, moved and selected from by wheel, pointer and keys", async () => {
    const page = await open("run=wmf&colour=series");
    await map(page).waitFor();
    const box = await map(page).boundingBox();
    if (!box) throw new Error("there is no map");
    const [left, top] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(left, top);
    await page.mouse.wheel(0, -500);
    await expect.poll(() => view(page)).toMatch(/^-?0\.00\d\d,-?0\.00\d\d,2\.72$/);
    await page.mouse.down();
    await page.mouse.move(left + 60, top, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => view(page)).toMatch(/^-0\.[01]\d+,-?0\.00\d\d,2\.72$/);
    await page.getByRole("button", { name: "All" }).click();
    await expect.poll(() => view(page)).toBeNull();
    await map(page).focus();
    await page.keyboard.press("+");
    await page.keyboard.press("ArrowLeft");
    await expect.poll(() => view(page)).toMatch(/^-0\.\d+,0\.0000,1\.30$/);
    await page.keyboard.press("Enter");
    await expect.poll(() => selected(page).textContent()).toMatch(/^film|^twins/);
    await page.keyboard.press("0");
    await expect.poll(() => view(page)).toBeNull();
    await page.getByRole("combobox", { name: "Colours by" }).selectOption("year");
    await page.getByRole("list", { name: "Colours by year" }).waitFor();
    await page.close();
  });

  it("shows why there is no map", async () => {
    const page = await open("run=popularity");
    await page.getByRole("alert").getByText("does not tell its items apart").waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: "Compute the map" }).waitFor();
    expect(await accessibility(page)).toEqual([]);
    await page.close();
  });

  it.each([
    { name: "dark", options: { colorScheme: "dark" } },
    { name: "narrow", options: { viewport: { width: 375, height: 800 } } },
  ])("is accessible and does not scroll sideways: $name", async ({ name, options }) => {
    const page = await open("run=wmf&item=9", options);
    await map(page).waitFor();
    expect(await accessibility(page)).toEqual([]);
    const wide = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    expect(wide).toBe(0);
    await page.screenshot({ path: join(output, `map-${name}.png`), fullPage: true });
    await page.close();
  });

  it("never failed, asked for anything elsewhere, or broke its policy", () => {
    expect(problems).toEqual([]);
  });
});
