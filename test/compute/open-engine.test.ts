import { describe, expect, it } from "vitest";
import { loadNativeEngine } from "../../src/compute/engines/native.js";
import { openEngine } from "../../src/compute/open-engine.js";
import { UserError } from "../../src/core/errors.js";

const native = loadNativeEngine();
if ("engine" in native) await native.engine.close();

describe("openEngine", () => {
  it("opens the native engine if available, otherwise the reference engine with a one-line note", async () => {
    const notes: string[] = [];
    const engine = await openEngine({ onNote: (text) => notes.push(text) });
    if ("engine" in native) {
      expect([engine.name, notes]).toEqual(["native", []]);
    } else {
      expect(engine.name).toBe("reference");
      expect(notes).toHaveLength(1);
      expect(notes[0]).toContain(native.reason);
      expect(notes[0]).not.toContain("\n");
    }
    await engine.close();
  });

  it("gives what is asked for, with its precision", async () => {
    const engine = await openEngine({ engine: "reference" });
    expect([engine.name, engine.precision, engine.threads]).toEqual(["reference", "float32", 1]);
    const exact = await openEngine({ precision: "float64" });
    expect([exact.name, exact.precision]).toEqual(["reference", "float64"]);
  });

  it.skipIf("engine" in native)("reports that the native engine is missing if it is requested", async () => {
    await expect(openEngine({ engine: "native" })).rejects.toThrow(UserError);
  });

  it.each([
    [{ engine: "native", precision: "float64" }, "float64"],
    [{ threads: 0 }, "0 is not a valid number of threads"],
    [{ engine: "native", threads: 1.5 }, "1.5 is not a valid number of threads"],
  ] as const)("refuses %j as a mistake of the user", async (options, message) => {
    const opened = openEngine(options);
    await expect(opened).rejects.toThrow(UserError);
    await expect(opened).rejects.toThrow(message);
  });
});
