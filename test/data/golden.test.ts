import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Dataset, loadDataset } from "../../src/data/dataset.js";
import type { Manifest } from "../../src/data/manifest.js";
import { prepareDataset } from "../../src/data/prepare.js";
import { entryCount } from "../../src/sparse/csr.js";
import { realData } from "../support/real-data.js";

const ml1m = realData("ml-1m");
let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-golden-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

// The numbers are those that the published notebooks print: the Keras notebooks, dawenl/vae_cf (VAE_ML20M_WWW2018.ipynb) and
// Microsoft recommenders (multi_vae_deep_dive.ipynb).
describe.skipIf(ml1m === undefined)("MovieLens-1M", () => {
  const ratings = join(ml1m ?? "", "ratings.dat");
  const films = join(ml1m ?? "", "movies.dat");

  describe("canonical split with 600 held-out users", () => {
    let manifest: Manifest;
    let dataset: Dataset;
    beforeAll(async () => {
      const out = join(home, "canonical");
      const options = { minRating: 4, validationUsers: 600, testUsers: 600 };
      manifest = await prepareDataset({ input: ratings, items: films, options, out });
      dataset = await loadDataset(out);
    });

    it("has the published counts", () => {
      const { counts } = manifest;
      expect(counts.sourceRows).toBe(1000209);
      expect(counts.filtered).toMatchObject({ interactions: 575272, users: 6034, items: 3533 });
      expect([counts.users, counts.items, counts.interactions]).toEqual([4834, 3497, 462827]);
      expect(counts.validation).toMatchObject({ users: 600, heldOut: 11228 });
      expect(counts.test).toMatchObject({ users: 600, heldOut: 10761 });
    });

    it("is loaded with these counts and with titles", () => {
      expect([dataset.train.rows, dataset.train.columns, entryCount(dataset.train)]).toEqual([
        4834, 3497, 462827,
      ]);
      expect(entryCount(dataset.validation.heldOut)).toBe(11228);
      expect(entryCount(dataset.test.heldOut)).toBe(10761);
      const film = dataset.items.indexOf("2951") as number;
      expect(dataset.items.titleOf(dataset.items.indexOf("1") as number)).toBe("Toy Story (1995)");
      expect(dataset.items.titleOf(film)).toBe("Fistful of Dollars, A (1964)");
      // Latin-1 in the file.
      expect(dataset.items.titleOf(dataset.items.indexOf("73") as number)).toBe("Misérables, Les (1995)");
    });
  });

  it("notebook protocol: first items and users, and the common block of items", async () => {
    const out = join(home, "notebook");
    const manifest = await prepareDataset({
      input: ratings,
      options: { protocol: "notebook", minRating: 4, foldInMinimum: 2 },
      out,
    });
    const dataset = await loadDataset(out);
    expect(manifest.counts.filtered).toMatchObject({ users: 6034, items: 3125 });
    expect(dataset.items.ids.slice(0, 5)).toEqual(["1036", "2651", "394", "2272", "1359"]);
    expect(dataset.users.ids.slice(0, 5)).toEqual(["5323", "3219", "5123", "1667", "3661"]);
    expect([dataset.users.size, dataset.validation.users.size, dataset.test.users.size]).toEqual([
      4834, 600, 600,
    ]);
    expect(manifest.counts.filtered.interactions / (6034 * 3125)).toBeCloseTo(0.0305, 4);
    for (const { foldIn, heldOut } of [dataset.validation, dataset.test]) {
      expect(Math.max(...heldOut.indices)).toBeLessThan(625);
      expect(Math.min(...foldIn.indices)).toBeGreaterThanOrEqual(625);
    }
  });
});
