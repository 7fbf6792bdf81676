import { describe, it } from "vitest";
import { multVae } from "../../../src/models/autoencoders/mult-vae.js";
import { engines, expectNumpyUpdates, fixture } from "../../support/numpy-updates.js";

describe("mult-vae", () => {
  it.each(engines)("ends six updates on the %s engine with NumPy's weights, losses and scores", (_, ...on) =>
    expectNumpyUpdates(multVae, fixture.vae, ...on),
  );
});
