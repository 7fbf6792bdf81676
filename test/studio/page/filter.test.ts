import { describe, expect, it } from "vitest";
import type { Run } from "../../../src/studio/api.js";
import { matches, parseFilter, unknownFields } from "../../../studio/src/runs/filter.js";
import { runOf } from "./run-of.js";

const runs: Run[] = [
  runOf({ id: "films/vae-1", options: { latent: "200", optimizer: "adam" }, ndcg: 0.42, seed: 1 }),
  runOf({ id: "films/vae-2", options: { latent: "50" }, ndcg: 0.4, seed: 2 }),
  runOf({ id: "films/ease", model: "ease", options: { l2: "500" }, ndcg: 0.39, seed: 2 }),
];
const shown = (text: string) =>
  runs.filter((run) => matches(run, parseFilter(text), "test")).map(({ id }) => id.replace("films/", ""));

describe("the filter of runs", () => {
  it("takes words as parts of path, model or dataset, in any case", () => {
    expect(shown("")).toEqual(["vae-1", "vae-2", "ease"]);
    expect(shown("VAE")).toEqual(["vae-1", "vae-2"]);
    expect(shown("films ease")).toEqual(["ease"]);
    expect(shown("books")).toEqual([]);
  });

  it("compares options, metrics and other fields as numbers where both are numbers", () => {
    expect(shown("latent>=200")).toEqual(["vae-1"]);
    // As texts, "50" is larger than "200".
    expect(shown("latent<100")).toEqual(["vae-2"]);
    expect(shown("latent=50.0")).toEqual(["vae-2"]);
    expect(shown("ndcg@100>0.395")).toEqual(["vae-1", "vae-2"]);
    expect(shown("seed=2 ndcg@100<0.4")).toEqual(["ease"]);
    expect(shown("optimizer=Adam")).toEqual(["vae-1"]);
    expect(shown("model!=ease")).toEqual(["vae-1", "vae-2"]);
  });

  it("does not show runs that lack the field, whatever the condition", () => {
    expect(shown("l2!=100")).toEqual(["ease"]);
  });

  it("names a dataset by its name, its path in the folder, or the beginning of its fingerprint", () => {
    const two = [
      runOf({ id: "a", dataset: { name: "films", path: null, id: "data/1", fingerprint: "abcd1234" } }),
      runOf({ id: "b", dataset: { name: "films", path: null, id: "data/2", fingerprint: "abff5678" } }),
    ];
    const found = (text: string) =>
      two.filter((run) => matches(run, parseFilter(text), "test")).map(({ id }) => id);
    expect(found("dataset=Films")).toEqual(["a", "b"]);
    expect(found("dataset=data/2")).toEqual(["b"]);
    expect(found("dataset=abcd")).toEqual(["a"]);
    expect(found("dataset!=data/1")).toEqual(["b"]);
    expect(found("dataset=ab")).toEqual([]);
  });

  it("finds fields that no run has", () => {
    expect(unknownFields(runs, parseFilter("latnet=3 l2=3 vae"), "test")).toEqual(["latnet"]);
  });
});
