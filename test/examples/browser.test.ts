import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { train } from "../../src/experiments/train.js";
import { recommend } from "../../src/recommender/recommend.js";
import type { Recommender } from "../../src/recommender/recommender.js";
import { onnxOf } from "../../src/serving/onnx/export.js";
import { browserPath } from "../support/browser.js";
import { demoDataset } from "../support/demo-dataset.js";

const root = resolve(import.meta.dirname, "../..");
/** Where the screenshot goes; git ignores it. */
const output = join(root, "test-output");

describe.skipIf(!browserPath)("the page that recommends in the browser", () => {
  const folder = mkdtempSync(join(tmpdir(), "foldin-browser-"));
  const dataset = demoDataset(400);
  let model: Recommender;
  let server: ChildProcess;
  let address: string;

  beforeAll(async () => {
    const options = { hidden: [40], latent: 16, epochs: 20, batchSize: 50, annealSteps: 0 };
    model = await train(dataset, { model: "mult-vae", options, engine: "reference" });
    const file = join(folder, "model.onnx");
    await writeFile(file, await onnxOf(await model.save(), { weights: "float16" }));
    server = spawn(process.execPath, [join(root, "examples/browser/server.mjs"), file, "0"]);
    address = await new Promise((done, fail) => {
      server.stdout?.once("data", (text: Buffer) => done(text.toString().trim()));
      server.once("exit", (code) => fail(new Error(`the server ended with ${code}`)));
    });
  });
  afterAll(async () => {
    server.kill();
    model.dispose();
    await rm(folder, { recursive: true });
  });

  it("shows what the library recommends for the titles that are typed", async () => {
    const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage({ viewport: { width: 760, height: 640 } });
      const problems: string[] = [];
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("request", (request) => {
        if (!request.url().startsWith(address)) problems.push(`asks for ${request.url()}`);
      });
      await page.goto(address);
      await page.waitForSelector("#title:enabled", { timeout: 60_000 });

      const liked = [4, 17, 42];
      for (const item of liked) {
        // As people type: lower case, and the rest of the title left to the matches where it is enough.
        await page.locator("#title").pressSequentially(dataset.items.titleOf(item).toLowerCase());
        await page.keyboard.press("Enter");
        await page.locator("#seen li", { hasText: dataset.items.titleOf(item) }).waitFor();
      }
      await expect.poll(() => page.locator("#seen li").count()).toBe(3);
      await expect.poll(() => page.locator("#status").textContent()).toContain("10 of 100 titles");
      await mkdir(output, { recursive: true });
      await page.screenshot({ path: join(output, "browser.png") });

      const shown = await page.$$eval("#best li", (rows) => rows.map((row) => row.firstChild?.textContent));
      const { items } = await recommend(model, Uint32Array.from(liked), { k: 10 });
      // The page's weights have 16 bits: neighbours may change places.
      expect(
        shown.filter((title) => items.some((item) => item.title === title)).length,
      ).toBeGreaterThanOrEqual(9);
      expect(shown[0]).toBe(items[0].title);
      for (const item of liked) expect(shown).not.toContain(dataset.items.titleOf(item));

      // What is clicked is taken back.
      await page.click("#seen li:first-child button");
      await expect.poll(() => page.locator("#seen li").count()).toBe(2);
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
