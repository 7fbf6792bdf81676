import { describe, expect, it } from "vitest";
// @ts-expect-error: scripts are plain JavaScript.
import { intoDocument, markdownOf } from "../../scripts/reproduction-table.mjs";

const run = (title: string, mean: number, more: Record<string, unknown> = {}) => ({
  ...{ key: title, title, options: {}, epochs: 200, chosenEpoch: 138 },
  metrics: { "ndcg@100": { ours: { mean, standardError: 0.0071 } } },
  ...more,
});
const markdown = (study: Record<string, unknown>) =>
  markdownOf({ studies: [{ key: "one", title: "MovieLens 1M", ...study }] });

describe("the tables of a reproduction", () => {
  it("have a column per metric where nothing is published", () => {
    expect(markdown({ runs: [run("Mult-VAE", 0.40024), run("DAE", 0.42362, { chosenEpoch: null })] })).toBe(
      `MovieLens 1M:

| model    | NDCG@100        | epoch      |
| -------- | --------------- | ---------- |
| Mult-VAE | 0.4002 ± 0.0071 | 138 of 200 |
| DAE      | 0.4236 ± 0.0071 | –          |
`,
    );
  });

  it("have ours next to the published number, and of several seeds the runs' deviation and the chance", () => {
    const metrics = {
      "recall@5": {
        ours: { mean: 0.1748, standardError: 0.0092, runDeviation: 0.0171 },
        published: { mean: 0.236 },
        chance: 0.00081,
      },
    };
    const seeds = [{ epochs: 30 }, { epochs: 44 }];
    expect(markdown({ runs: [{ ...run("VAE", 0), metrics, seeds }] })).toContain(
      `| model | metric   | ours            | run to run | published | chance  |
| ----- | -------- | --------------- | ---------- | --------- | ------- |
| VAE   | Recall@5 | 0.1748 ± 0.0092 | 0.0171     | 0.2360    | 0.081 % |`,
    );
  });

  it("name the chosen candidate, and list all of them with their validation numbers", () => {
    const choice = {
      metric: "validation ndcg@100",
      candidates: [
        { key: "a", title: "multinomial", value: 0.41, chosen: false },
        { key: "b", title: "Bernoulli", value: 0.42, chosen: true },
      ],
    };
    const text = markdown({ runs: [run("Vamp", 0.4, { choice })] });
    expect(text).toContain("| Vamp, Bernoulli |");
    expect(text).toContain("- Vamp: multinomial 0.4100, Bernoulli 0.4200 (validation ndcg@100).");
  });

  it("are a grid where the study is one, the published numbers in brackets", () => {
    const point = (alpha: number, factors: number, mean: number) => ({
      ...run("NMF", mean, { options: { alpha, factors } }),
      metrics: { "recall@20": { ours: { mean }, published: { mean: mean + 0.0001 } } },
    });
    const grid = { x: "factors", y: "alpha", metric: "recall@20" };
    const text = markdown({ grid, runs: [point(0.02, 25, 0.2), point(0.02, 50, 0.1)] });
    expect(text).toContain("| 0.02            | 0.2000 (0.2001) | 0.1000 (0.1001) |");
  });

  it("have a column per depth where recall is drawn by depth", () => {
    const metrics = Object.fromEntries(
      [50, 100].map((k) => [`recall-plain@${k}`, { ours: { mean: k / 1000 }, published: { mean: k / 999 } }]),
    );
    const text = markdown({ byDepth: "recall-plain", runs: [{ ...run("CVAE", 0), metrics }] });
    expect(text).toContain("| CVAE            | 0.0500 | 0.1000 |");
    expect(text).toContain("| CVAE, published | 0.0501 | 0.1001 |");
  });

  it("of the baselines have the models as they rank", () => {
    const metrics = { "ndcg@100": { mean: 0.44, standardError: 0.007 } };
    const text = markdownOf({
      comparison: { metrics: ["ndcg@100"], systems: [{ name: "ease", metrics }] },
      rows: [{ model: "ease", how: "recipe ml-1m" }],
    });
    expect(text).toContain("| ease  | 0.4400 ± 0.0070 | recipe ml-1m |");
  });

  it("go into the marked places of a document, and leave the rest of it as it is", () => {
    const document = "A\n<!-- p: one -->\nold\n<!-- end -->\nB\n<!-- q: one -->\nkept\n<!-- end -->\n";
    const result = { preset: "p", studies: [{ key: "one", title: "T", runs: [run("VAE", 0.4)] }] };
    const text = intoDocument(document, result);
    expect(text).toContain("<!-- p: one -->\n\n| model | NDCG@100");
    expect(text).not.toContain("old");
    expect(text).toContain("B\n<!-- q: one -->\nkept\n<!-- end -->\n");
    // Written again, nothing changes.
    expect(intoDocument(text, result)).toBe(text);
  });
});
