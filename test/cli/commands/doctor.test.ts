import { availableParallelism, totalmem } from "node:os";
import { describe, expect, it } from "vitest";
import { foldin } from "../../support/foldin.js";

describe("foldin doctor", () => {
  it("prints one JSON object that agrees with the machine", async () => {
    const { code, stdout } = await foldin(["doctor", "--json"]);
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.node).toBe(process.versions.node);
    expect(report.memory.total).toBe(totalmem());
    expect(report.cpu.cores).toBe(availableParallelism());
    expect(report.duckdb).toMatch(/^v\d+\.\d+/);
    const [native, reference, bf16] = report.engines;
    expect(reference).toMatchObject({ name: "reference", available: true });
    expect(reference.gflops).toBeGreaterThan(0);
    expect(report.engine.name).toBe(native.available ? "native" : "reference");
    if (native.available) {
      expect(native.gflops).toBeGreaterThan(reference.gflops);
      expect(bf16).toMatchObject({ name: "native", precision: "bf16", available: true });
      expect(bf16.description).toMatch(/bfloat16 \((AMX|AVX-512-BF16|widened to float32)\)/);
    } else expect(native.description).toContain("native engine");
  });

  it("prints a readable report, also without cargo", async () => {
    const { code, stdout } = await foldin(["doctor"], { env: { PATH: "" } });
    expect(code).toBe(0);
    expect(stdout).toContain(`Node.js    ${process.versions.node}`);
    expect(stdout).toContain("not installed (needed only to build the native engine from source)");
    expect(stdout).toMatch(/Default engine: (native|reference) \(/);
  });
});
