import { describe, it } from "vitest";
import { multDae } from "../../../src/models/autoencoders/mult-dae.js";
import { engines, expectNumpyUpdates, fixture } from "../../support/numpy-updates.js";

describe("mult-dae", () => {
  it.each(engines)("ends six updates on the %s engine with NumPy's weights, losses and scores", (_, ...on) =>
    expectNumpyUpdates(multDae, fixture.dae, ...on),
  );
});
