import { describe, expect, it } from "vitest";
import { datasetNames, differingOptions, metricsOf, sorted } from "../../../studio/src/runs/columns.js";
import { runOf } from "./run-of.js";

describe("the columns of the table of runs", () => {
  it("are the options in which runs of one model differ, those with the most values first", () => {
    const runs = [
      runOf({ options: { latent: "50", anneal: "0.2", epochs: "10" } }),
      runOf({ options: { latent: "100", anneal: "0.2", epochs: "10" } }),
      runOf({ options: { latent: "200", anneal: "0.4", epochs: "10" } }),
      runOf({ model: "ease", options: { l2: "500" } }),
    ];
    expect(differingOptions(runs)).toEqual(["latent", "anneal"]);
  });

  it("include an option that only some runs of a model have set", () => {
    expect(differingOptions([runOf({ options: { beta: "1" } }), runOf()])).toEqual(["beta"]);
  });

  it("are the metrics of the split, the usual ones first", () => {
    const value = { mean: 0.1 };
    const metrics = { "mrr@10": value, "recall@20": value, "coverage@100": value, "ndcg@100": value };
    const run = runOf({ on: { test: { users: 1, metrics } } });
    expect(metricsOf([run], "test")).toEqual(["ndcg@100", "recall@20", "coverage@100", "mrr@10"]);
    expect(metricsOf([run], "validation")).toEqual([]);
  });
});

describe("the order of runs", () => {
  const runs = [
    runOf({ id: "a", options: { latent: "50" }, ndcg: 0.3 }),
    runOf({ id: "b", options: { latent: "200" } }),
    runOf({ id: "c", ndcg: 0.5 }),
    runOf({ id: "d", options: { latent: "50" }, ndcg: 0.4 }),
  ];
  const ids = (field: string, descending: boolean) =>
    sorted(runs, { field, descending }, "test")
      .map(({ id }) => id)
      .join("");

  it("is by value, with runs that lack it last in both directions, and equal ones by path", () => {
    expect(ids("ndcg@100", true)).toBe("cdab");
    expect(ids("ndcg@100", false)).toBe("adcb");
    expect(ids("latent", false)).toBe("adbc");
    expect(ids("latent", true)).toBe("badc");
    expect(ids("run", true)).toBe("dcba");
  });
});

describe("the datasets of runs", () => {
  it("are told apart by their folders where they have the same name", () => {
    const on = (name: string, path: string | null, fingerprint: string) =>
      runOf({ dataset: { name, path, fingerprint } });
    const names = datasetNames([
      on("papers", "/x/data/seed-1", "a"),
      on("papers", "/x/data/seed-2", "b"),
      on("papers", "/copied/elsewhere", "a"),
      on("films", "/x/films", "c"),
    ]);
    expect([...names]).toEqual([
      ["c", "films"],
      ["a", "papers (data/seed-1)"],
      ["b", "papers (data/seed-2)"],
    ]);
  });
});
