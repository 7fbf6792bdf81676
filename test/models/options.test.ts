import { describe, expect, it } from "vitest";
import { z } from "zod";
import { UserError } from "../../src/core/errors.js";
import { hVamp } from "../../src/models/autoencoders/h-vamp.js";
import { multDae } from "../../src/models/autoencoders/mult-dae.js";
import { multVae } from "../../src/models/autoencoders/mult-vae.js";
import { vae } from "../../src/models/autoencoders/vae.js";
import { vamp } from "../../src/models/autoencoders/vamp.js";
import { describeOptions, layeredOptions, parseOptions, parseSettings } from "../../src/models/options.js";
import { popularity } from "../../src/models/popularity.js";
import { algorithmNames, findAlgorithm } from "../../src/models/registry.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";

describe("options", () => {
  it("have the paper's values as defaults", () => {
    // Liang et al. 2018, section 4.4, and dawenl/vae_cf: 600 - 200 - 600, keep .5, lr 1e-3, batch 500, 200 epochs, cap .2.
    expect(parseOptions(multVae)).toEqual({
      hidden: [600],
      gated: false,
      latent: 200,
      dropout: 0.5,
      beta: 0.2,
      kl: "closed-form",
      clampLogVariance: false,
      initialValues: "xavier",
      normaliseGradients: false,
      learningRate: 0.001,
      batchSize: 500,
      epochs: 200,
    });
    expect(parseOptions(multDae)).toEqual({
      hidden: [],
      latent: 200,
      dropout: 0.5,
      l2: 2e-5,
      learningRate: 0.001,
      batchSize: 500,
      epochs: 200,
    });
  });

  it("report errors, and suggest the nearest name", () => {
    expect(() => parseOptions(multVae, { latnet: 3 })).toThrow(
      /latnet: mult-vae has no such option.*"latent"/,
    );
    expect(() => parseOptions(multVae, { epoch: 3 })).toThrow(/Did you mean "epochs"/);
    const bare = { ...popularity, options: z.strictObject({}) };
    expect(() => parseOptions(bare, { epochs: 3 })).toThrow(/has no options/);
    expect(() => parseOptions(multVae, { dropout: 1 })).toThrow(
      /dropout: 1 is not valid.*dropout rate of a history/,
    );
    expect(() => parseOptions(multVae, { hidden: [600, -1] })).toThrow(/hidden: \[600,-1\] is not valid/);
    expect(() => parseOptions(multVae, { latent: "many" })).toThrow(UserError);
    expect(() => parseOptions(multVae, { constructor: 1 })).toThrow(/no such option/);
  });

  it("of the EVCF family reject invalid values with the reason", () => {
    expect(() => parseOptions(vamp, { layers: 0 })).toThrow(/layers: 0 is not valid.*hidden layers of each/);
    expect(() => parseOptions(hVamp, { beta: -0.1 })).toThrow(/beta: -0.1 is not valid/);
    expect(() => parseOptions(hVamp, { pseudoInputs: 0 })).toThrow(/pseudoInputs: 0 is not valid/);
    expect(() => parseOptions(vamp, { likelihood: "gaussian" })).toThrow(
      /likelihood: "gaussian" is not valid/,
    );
    expect(() => parseOptions(multVae, { hidden: [600, 200], layers: 2 })).toThrow(/layers.*exactly one/);
    expect(() => parseOptions(multVae, { warmup: 5, annealSteps: 100 })).toThrow(/warmup.*only one of them/);
    expect(() => parseOptions(vamp, { layers: 1.5 })).toThrow(/layers: 1.5 is not valid/);
    expect(() => parseOptions(vamp, { warmup: -1 })).toThrow(/warmup: -1 is not valid/);
    expect(() => parseOptions(hVamp, { latent: 200 })).toThrow(
      /latent: h-vamp has no such option.*"latent1"/,
    );
    expect(() => parseOptions(vamp, { pseudoInit: "rows" })).toThrow(/pseudoInit: "rows" is not valid/);
    expect(() => parseOptions(vamp, { l2NormalisePseudoInputs: 1 })).toThrow(
      /l2NormalisePseudoInputs: 1 is not valid/,
    );
    expect(parseOptions(vamp)).toMatchObject({
      // psywaves/EVCF, experiment.py.
      ...{ hidden: 600, latent: 200, layers: 1, gated: false, pseudoInputs: 1000, pseudoInit: "noise" },
      ...{ dropout: 0.5, beta: 1, warmup: 100, learningRate: 5e-4, batchSize: 200, epochs: 400 },
    });
  });

  it("of RecoTour and of the notebooks reject invalid values", () => {
    const scheduled: Algorithm[] = [multVae, multDae];
    for (const algorithm of scheduled) {
      expect(() => parseOptions(algorithm, { plateauFactor: 0.4 })).toThrow(
        /plateauFactor: 0.4 is not valid: needs scheduler=plateau/,
      );
      expect(() => parseOptions(algorithm, { scheduler: "plateau", plateauFactor: 1 })).toThrow(
        /plateauFactor: 1 is not valid/,
      );
      expect(() => parseOptions(algorithm, { weightDecay: -1 })).toThrow(/weightDecay: -1 is not valid/);
    }
    expect(() => parseOptions(vae, { hidden: [] })).toThrow(/hidden: \[\] is not valid/);
    expect(() => parseOptions(vae, { annealMultiplier: 0 })).toThrow(/annealMultiplier: 0 is not valid/);
    expect(() => parseOptions(vae, { monitor: "val_loss" })).toThrow(/monitor: "val_loss" is not valid/);
  });

  describe("in a group", () => {
    const slips = { anneal: "epoch", initialBeta: 0.2, restoreBest: false };

    it("are the same given as an object, by their full names, or by the names of earlier versions", () => {
      const parsed = parseOptions(vae, { beta: 0.1, compatibility: slips });
      expect(parsed.compatibility).toMatchObject(slips);
      expect(parsed.compatibility.reconstruction).toBe("sum");
      expect(parseOptions(vae, { beta: 0.1, ...slips })).toEqual(parsed);
      const full = Object.entries(slips).map(([name, value]) => [`compatibility.${name}`, value]);
      expect(parseOptions(vae, { beta: 0.1, ...Object.fromEntries(full) })).toEqual(parsed);
      const min = { scheduler: "plateau", compatibility: { plateauMode: "min" } } as const;
      const former = parseOptions(multVae, { scheduler: "plateau", plateauMode: "min" });
      expect(former).toEqual(parseOptions(multVae, min));
      expect(former.compatibility).toEqual({ plateauMode: "min" });
    });

    it("are overridden by later layers, one by one, in any form", () => {
      const layers = [{ compatibility: slips }, { anneal: "update" }, { "compatibility.initialBeta": 0.5 }];
      expect(layeredOptions(vae, ...layers)).toEqual({
        "compatibility.anneal": "update",
        "compatibility.initialBeta": 0.5,
        "compatibility.restoreBest": false,
      });
    });

    it("are described, and read from text, by their full names", () => {
      const described = describeOptions(vae).find(({ name }) => name === "compatibility.anneal");
      expect(described).toMatchObject({
        type: '"update" | "epoch" | "batch-in-epoch"',
        default: "update",
        description: expect.stringContaining("how beta is annealed"),
      });
      const read = { "compatibility.anneal": "epoch", "compatibility.initialBeta": 0.5 };
      expect(parseSettings(vae, ["compatibility.anneal=epoch", "initialBeta=.5"])).toEqual(read);
      expect(parseSettings(vae, ["anneal=epoch", "compatibility.initialBeta=.5"])).toEqual(read);
      // Of two the last one, as everywhere.
      expect(parseSettings(vae, ["compatibility.initialBeta=1", "anneal=epoch", "initialBeta=.5"])).toEqual(
        read,
      );
    });

    it("report errors, and suggest the nearest name", () => {
      expect(() => parseOptions(vae, { compatibility: { anneel: "epoch" } })).toThrow(
        /compatibility.anneel: vae has no such option.*Did you mean "compatibility.anneal"/,
      );
      expect(() => parseOptions(vae, { compatibility: { anneal: "never" } })).toThrow(
        /compatibility.anneal: "never" is not valid.*how beta is annealed/,
      );
      expect(() => parseOptions(vae, { compatibility: 3 })).toThrow(/compatibility: 3 is not valid/);
      expect(() => parseOptions(multDae, { compatibility: { plateauMode: "min" } })).toThrow(
        /compatibility.plateauMode: "min" is not valid: needs scheduler=plateau/,
      );
      expect(() => parseOptions(multVae, { compatibility: { anneal: "epoch" } })).toThrow(/no such option/);
    });

    it("are found by the names of earlier versions", async () => {
      for (const name of algorithmNames) {
        const names = describeOptions(await findAlgorithm(name)).map((option) =>
          option.name.split(".").at(-1),
        );
        expect(new Set(names).size, name).toBe(names.length);
      }
    });
  });

  it("are read from text", () => {
    expect(
      parseSettings(multVae, ["latent=50", "hidden=600, 300", "learningRate=1e-4", "annealSteps=200000"]),
    ).toEqual({ latent: 50, hidden: [600, 300], learningRate: 1e-4, annealSteps: 200_000 });
    expect(parseSettings(multVae, ["beta=.5"])).toEqual({ beta: 0.5 });
    expect(parseSettings(multDae, ["hidden=600"])).toEqual({ hidden: [600] });
    expect(parseSettings(multVae, ["hidden=", "hidden=[7]"])).toEqual({ hidden: [7] });
    expect(() => parseSettings(multVae, ["latent"])).toThrow(
      /--set latent: is not a setting \(expected name=value\)/,
    );
    expect(() => parseSettings(multVae, ["latent=ten"])).toThrow(/latent: "ten" is not valid/);
  });

  it("of every model have a default or are optional, and a description", async () => {
    for (const name of algorithmNames) {
      const algorithm = await findAlgorithm(name);
      expect(algorithm.name).toBe(name);
      for (const option of describeOptions(algorithm)) {
        expect(option.description, `${name}.${option.name}`).not.toBe("");
        expect(option.type).not.toBe("any");
      }
      expect(() => parseOptions(algorithm)).not.toThrow();
    }
    const [hidden, latent] = describeOptions(multVae);
    expect(hidden).toMatchObject({ name: "hidden", type: "whole number[]", default: [600] });
    expect(latent).toMatchObject({ name: "latent", type: "whole number", default: 200 });
  });
});

describe("the registry", () => {
  it("suggests the nearest name for an unknown name", async () => {
    await expect(findAlgorithm("multvae")).rejects.toThrow(/"multvae" is unknown. Did you mean "mult-vae"/);
    await expect(findAlgorithm("toString")).rejects.toThrow(UserError);
  });
});
