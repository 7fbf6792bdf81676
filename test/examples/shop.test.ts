import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { train } from "../../src/experiments/train.js";
import { browserPath } from "../support/browser.js";
import { demoDataset } from "../support/demo-dataset.js";
import { serving } from "../support/foldin.js";

const root = resolve(import.meta.dirname, "../..");
const output = join(root, "test-output");
const folder = mkdtempSync(join(tmpdir(), "foldin-shop-"));
const dataset = demoDataset(400);
let models: Awaited<ReturnType<typeof serving>>;
let shop: ChildProcess;
let address: string;

beforeAll(async () => {
  const options = { hidden: [40], latent: 16, epochs: 20, batchSize: 50, annealSteps: 0 };
  const out = join(folder, "run");
  (await train(dataset, { model: "mult-vae", options, out, engine: "reference" })).dispose();
  models = await serving(out, join(folder, "histories.sqlite"));
  shop = spawn(process.execPath, [join(root, "examples/shop/server.mjs"), models.address, "0"]);
  address = await new Promise((done, fail) => {
    shop.stdout?.once("data", (text: Buffer) => done(text.toString().trim()));
    shop.stderr?.once("data", (text: Buffer) => fail(new Error(text.toString())));
  });
});
afterAll(async () => {
  shop.kill();
  models.process.kill("SIGTERM");
  await models.outcome;
  await rm(folder, { recursive: true });
});

describe("the shop", () => {
  it("works without JavaScript: what is opened is recorded, and changes what is recommended", async () => {
    const first = await fetch(address);
    const cookie = first.headers.get("set-cookie")?.split(";")[0] ?? "";
    expect(await first.text()).toContain("What others like");
    const opened = await fetch(`${address}/open`, {
      method: "POST",
      headers: { cookie },
      body: new URLSearchParams({ item: dataset.items.ids[4] }),
      redirect: "manual",
    });
    expect(opened.status).toBe(303);
    const page = await (await fetch(address, { headers: { cookie } })).text();
    expect(page).toContain("Recommended for you");
    expect(page).toContain("because you liked");
    const found = await (await fetch(`${address}/?q=${encodeURIComponent("<b>&\"'")}`)).text();
    expect(found).toContain('value="&#60;b&#62;&#38;&#34;&#39;"');
  });

  it("answers 502 while recommendations are not available, and 400 to what is not valid", async () => {
    const unknown = await fetch(`${address}/search?q=${"x".repeat(300)}`);
    expect(unknown.status).toBe(400);
    expect(await unknown.text()).toContain("search");
  });

  it.skipIf(!browserPath)("recommends in a browser, says why, and forgets", async () => {
    const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage({ viewport: { width: 800, height: 900 } });
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
      page.on("request", (request) => {
        if (!request.url().startsWith(address)) problems.push(`asks for ${request.url()}`);
      });
      await page.goto(address);
      await page.locator("#for-you", { hasText: "What others like" }).waitFor();
      for (const item of [4, 17]) {
        const title = dataset.items.titleOf(item);
        await page.fill("#q", "");
        await page.locator("#q").pressSequentially(title);
        await page.locator("#found button", { hasText: title }).first().click();
        await page.locator("#shelves ul").last().locator("button", { hasText: title }).waitFor();
      }
      await page.locator("#for-you", { hasText: "Recommended for you" }).waitFor();
      const reasons = await page.locator("#shelves small").allTextContents();
      expect(reasons.length).toBeGreaterThan(0);
      for (const reason of reasons)
        expect([4, 17].map((item) => `because you liked ${dataset.items.titleOf(item)}`)).toContain(reason);
      await mkdir(output, { recursive: true });
      await page.screenshot({ path: join(output, "shop.png") });
      await page.getByRole("button", { name: "Forget me" }).click();
      await page.locator("#for-you", { hasText: "What others like" }).waitFor();
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
