// The outlines that reports draw, against the networks themselves.

import { afterAll, describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { drawNetwork } from "../../../src/experiments/network-diagram.js";
import { parseOptions } from "../../../src/models/options.js";
import { findAlgorithm } from "../../../src/models/registry.js";
import { checkerboard } from "../../support/datasets.js";

const engine = new ReferenceEngine();
afterAll(() => engine.close());
const dataset = checkerboard(12, 30);
const evcf = { hidden: 8, pseudoInputs: 5 };

describe("an outline has as many weights as the trained network, and draws every layer", () => {
  it.each([
    ["mult-vae", { hidden: [8], latent: 4 }],
    ["mult-vae", { hidden: [], latent: 4 }],
    ["mult-vae", { hidden: [8], layers: 2, latent: 4, gated: true }],
    [
      "mult-vae",
      {
        hidden: [8, 6],
        latent: 4,
        decoderHidden: [5],
        encoderDropout: [0.1, 0.2],
        decoderDropout: [0.3, 0.4],
      },
    ],
    ["mult-dae", { latent: 4 }],
    ["mult-dae", { hidden: [8], latent: 4, decoderHidden: [], encoderDropout: [0.1], decoderDropout: [0.2] }],
    ["vae", { hidden: [8], latent: 4 }],
    ["vamp", { ...evcf, latent: 4 }],
    ["vamp", { ...evcf, latent: 4, layers: 2, gated: true }],
    ["h-vamp", { ...evcf, latent1: 4, latent2: 3 }],
    ["h-vamp", { ...evcf, latent1: 4, latent2: 3, gated: true }],
    ["h-vamp", { ...evcf, latent1: 4, latent2: 3, layers: 2 }],
    ["h-vamp", { ...evcf, latent1: 4, latent2: 3, layers: 3, gated: true }],
    ["cdae", { latent: 4 }],
    ["cdae", { latent: 4, tied: false, dropout: 0, loss: "square", activation: "identity" }],
    ["rec-vae", { hidden: 8, latent: 4, layers: 3 }],
    ["vasp", { hidden: 8, latent: 4, encoderLayers: 3, decoderLayers: 2 }],
  ])("%s %o", async (name, given) => {
    const algorithm = await findAlgorithm(name);
    const options = parseOptions(algorithm, { ...given, epochs: 1 });
    const outline = algorithm.outline?.(dataset.items.size, options) ?? [];
    const model = await algorithm.fit(dataset, options, { engine, seed: 1 });
    const { tensors } = await model.save();
    model.dispose();
    const saved = Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0);
    expect(outline.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(saved);

    const names = outline.map((layer) => layer.name);
    expect(new Set(names).size).toBe(names.length);
    expect(outline.at(-1)?.output).toBe(dataset.items.size);
    const { text } = drawNetwork(outline);
    for (const layer of names) expect(text).toContain(`>${layer}<`);
    // One arrow per connection.
    const connections = outline.reduce((sum, { from }) => sum + from.length, 0);
    expect(text.match(/marker-end/g)).toHaveLength(connections);
    // No two boxes overlap.
    const boxes = [...text.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="(\d+)" height="(\d+)"/g)].map(
      (found) => found.slice(1).map(Number),
    );
    expect(boxes).toHaveLength(names.length);
    for (const [i, [x, y, width, height]] of boxes.entries())
      for (const [x2, y2] of boxes.slice(i + 1))
        expect(Math.abs(x - x2) >= width || Math.abs(y - y2) >= height).toBe(true);
  });
});

describe("an outline has the number of weights that follows from the published sizes on MovieLens 20M", () => {
  const items = 20_108;

  it("Mult-VAE, 600 and 200: 24.5 million", async () => {
    const algorithm = await findAlgorithm("mult-vae");
    const outline = algorithm.outline?.(items, parseOptions(algorithm, {})) ?? [];
    // (20108 + 1) 600 + (600 + 1) 400 + (200 + 1) 600 + (600 + 1) 20108
    expect(outline.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(24_511_308);
  });

  it("H+Vamp (Gated), two layers of 600, K = 1000: 86.5 million", async () => {
    const algorithm = await findAlgorithm("h-vamp");
    const options = parseOptions(algorithm, { layers: 2, gated: true });
    const outline = algorithm.outline?.(items, options) ?? [];
    const total = outline.reduce((sum, { parameters }) => sum + parameters, 0);
    expect(total / 1e6).toBeCloseTo(86.5, 1);
  });
});
