import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeDataset } from "../../src/data/describe.js";
import { buildDataset } from "../../src/data/prepare.js";
import { dataPlots, writeDatasetPage } from "../../src/experiments/data-plots.js";
import { html } from "../../src/experiments/html.js";

// User u has u + 1 items, for u = 0 ... 5; ratings are 3, 4, 5 in turn.
const input = Array.from({ length: 6 }, (_, user) =>
  Array.from({ length: user + 1 }, (_, item) => ({ user, item, rating: 3 + (item % 3) })),
).flat();

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const datasetOf = (values: boolean) =>
  buildDataset(
    { input, name: "<b>", options: { protocol: "weak", minUser: 0, validationShare: 0, testShare: 0 } },
    { values },
  );

describe("the plots of a dataset", () => {
  it("say in words what they draw, and draw ratings only where there are some", async () => {
    const { text } = html`${await dataPlots(await describeDataset(await datasetOf(true)))}`;
    expect([...text.matchAll(/role="img" aria-label="([^"]*)"/g)].map(([, label]) => label)).toEqual([
      "Interactions by rating. 3: 9, 4: 7, 5: 5",
      "Users by their interactions. 1: 1, 2: 1, 3–4: 2, 5–9: 2",
      "Items by their interactions. 1: 1, 2: 1, 3–4: 2, 5–9: 2",
    ]);
    // A bar each.
    expect(text.match(/aria-roledescription="bar"/g)).toHaveLength(3 + 4 + 4);
    const without = html`${await dataPlots(await describeDataset(await datasetOf(false)))}`;
    expect(without.text.match(/<figure>/g)).toHaveLength(2);
  });

  it("stand on a page of their own, without scripts, next to the density before and after the split", async () => {
    const dataset = await buildDataset({
      input,
      name: "<b>",
      options: { protocol: "weak", minUser: 0, trainItems: 2, items: "all" },
    });
    const description = await describeDataset(dataset);
    expect([description.density, description.filteredDensity]).toEqual([11 / 36, 21 / 36]);
    const file = join(home, "plots.html");
    await writeDatasetPage(file, description);
    const page = readFileSync(file, "utf8");
    expect(page).toContain("11 interactions of 6 users with 6 items, 30.6 % of users x items");
    expect(page).toContain("21 interactions of 6 users with 6 items, 58.3 % of users x items");
    expect(page).toContain("&lt;b&gt;");
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
  });
});
