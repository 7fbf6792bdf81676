// Times the studio's map of items: computing it in its process, and frames while it is zoomed in Chromium.
//
//   node bench/.build/serving/model.js runs/large
//   node bench/studio/map.mjs runs/large [cache folder: a map in it is used, and a new one kept]
//
// The run's vectors are those of a nearly untrained model. The frames are those of the page's own drawing, in a window of 1,360 x 900.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { chromium } from "playwright-core";
import { createStudio } from "../../dist/studio/server.js";

const [run, kept] = process.argv.slice(2);
const path = resolve(run);
const executablePath = process.env.FOLDIN_CHROMIUM ?? "/usr/bin/chromium";
const cache = kept ?? mkdtempSync(join(tmpdir(), "foldin-map-"));
const studio = await createStudio({ folder: dirname(path), cache });
const address = await studio.listen(0);
try {
  const ask = async (method, route, body) => {
    const headers = { origin: address, "content-type": "application/json" };
    const response = await fetch(`${address}${route}`, {
      method,
      headers,
      body: body && JSON.stringify(body),
    });
    return response.json();
  };
  const seconds = (since) => ((performance.now() - since) / 1000).toFixed(1);
  const started = performance.now();
  let answer = await ask("POST", "/api/maps", { run: basename(path) });
  let part = "";
  while (answer.state === "waiting" || answer.state === "running") {
    await new Promise((done) => setTimeout(done, 100));
    answer = await ask("GET", `/api/maps/${answer.id}`);
    const now = answer.progress?.split(",")[0] ?? "";
    if (now !== part && now !== "") console.log(`${seconds(started)} s: ${now}`);
    part = now || part;
  }
  if (answer.state !== "done") throw new Error(answer.problem);
  console.log(`map computed in ${seconds(started)} s`);

  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const page = await browser.newPage({ viewport: { width: 1360, height: 900 } });
  const opened = performance.now();
  await page.goto(`${address}/#/map?${new URLSearchParams({ run: basename(path) })}`);
  const map = page.getByRole("application");
  await map.waitFor();
  console.log(
    `${await map.getAttribute("aria-label").then((label) => label.split(".")[0])}, shown after ${seconds(opened)} s`,
  );
  // One turn of the wheel in each frame, in and out again.
  const { frames, drawn } = await map.evaluate(async (canvas) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const at = { clientX: left + width / 2, clientY: top + height / 2, cancelable: true };
    const frames = [];
    performance.clearMeasures();
    let before;
    for (let step = 0; step < 120; step++) {
      canvas.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: step < 60 ? -40 : 40 }));
      const now = await new Promise(requestAnimationFrame);
      if (before !== undefined) frames.push(now - before);
      before = now;
    }
    return { frames, drawn: performance.getEntriesByName("map").map(({ duration }) => duration) };
  });
  const text = (numbers) => {
    const sorted = numbers.toSorted((a, b) => a - b);
    const at = (share) => sorted[Math.floor(share * (sorted.length - 1))].toFixed(1);
    return `median ${at(0.5)}, 95 % ${at(0.95)}, largest ${at(1)} ms (${sorted.length})`;
  };
  console.log(`time between frames: ${text(frames)}`);
  console.log(`time to draw: ${text(drawn)}`);
  await browser.close();
} finally {
  await studio.close();
  if (kept === undefined) rmSync(cache, { recursive: true });
}
