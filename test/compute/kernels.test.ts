import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { type Kernel, kernel, table } from "../../src/compute/kernel.js";
import { kernels, solverKernels } from "../../src/compute/kernels.js";
import type { SparseTensor, Tensor } from "../../src/compute/tensor.js";
import { fromRows } from "../../src/sparse/csr.js";
import { bestInBlocksCase, bestProductsCase, kernelCases, topKCase, triedBy } from "../support/engines.js";

const all = Object.values<Kernel>({ ...kernels, ...solverKernels });
const writes = (role: string) => all.filter(({ leaves }) => leaves.some((leaf) => leaf.role === role));

describe("the kernel table", () => {
  it("has a case against a naive formula for every kernel", () => {
    const tried = new Set([...kernelCases, topKCase, bestProductsCase, bestInBlocksCase].flatMap(triedBy));
    expect(Object.keys(kernels).filter((name) => !tried.has(name))).toEqual([]);
    const folder = join(import.meta.dirname, "engines/reference");
    const solverTests = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
    const untried = Object.keys(solverKernels).filter(
      (name) => !solverTests.some((text) => text.includes(`.${name}(`)),
    );
    expect(untried).toEqual([]);
  });

  it("calls what always adds add... or ...Gradient", () => {
    for (const { name } of writes("add")) expect(name).toMatch(/^add[A-Z]|Gradient$/);
  });

  it("lets `accumulate` choose only where the output is otherwise overwritten", () => {
    for (const { name, leaves } of all)
      if (leaves.some((leaf) => leaf.name === "accumulate"))
        expect(
          leaves.filter(({ role }) => role !== "read").map(({ role }) => role),
          name,
        ).toEqual(["overwrite"]);
  });

  it("names every operand of a contract once", () => {
    for (const { contract } of all) {
      const names = [...contract.matchAll(/(\w+):/g)].map(([, name]) => name);
      expect(new Set(names).size, contract).toBe(names.length);
    }
  });
});

describe("a description", () => {
  type Example = (out: Tensor, x: SparseTensor, options: object) => void;
  const { example } = table({
    example: kernel<Example>(
      "=out[t,2*l+1] x<r,c;t> options:{a[r,l] packed?[r,tri(l)] rows?{n/r} below?{*<c} weights|l| how?=(slow|fast) inner:{b scale}}",
    ),
  });
  const engine = new ReferenceEngine();
  const x = engine.sparse(fromRows(5, [[0, 4], [4], []]));
  const t = (rows: number, columns: number) => engine.zeros(rows, columns);
  const good = { a: t(3, 4), weights: new Float32Array(4), inner: { b: 1, scale: 2 } };

  it("says what the addon must take, leaf by leaf", () => {
    expect(example.contract).toBe(
      "example(out:matrix x:batch a:matrix packed:maybe_matrix rows:maybe_list below:maybe_list weights:floats how:maybe_number inner_b:number inner_scale:number)",
    );
  });

  it("accepts what fits, with absent options absent", () => {
    expect(() => example.check([t(2, 9), x, good])).not.toThrow();
    const full = { ...good, packed: t(3, 10), rows: Uint32Array.of(0, 2), below: Uint32Array.of(4, 0, 4) };
    expect(() => example.check([t(2, 9), x, full])).not.toThrow();
  });

  it.each<[string, unknown[], string]>([
    ["a size that follows from another", [t(2, 8), x, good], "example: out is [2, 8], expected [2, 9]"],
    ["the number of touched columns", [t(3, 9), x, good], "example: out is [3, 9], expected [2, 9]"],
    [
      "an operand in an object",
      [t(2, 9), x, { ...good, a: t(2, 4) }],
      "example: a is [2, 4], expected [3, 4]",
    ],
    ["a packed triangle", [t(2, 9), x, { ...good, packed: t(3, 9) }], "packed is [3, 9], expected [3, 10]"],
    [
      "the length of numbers",
      [t(2, 9), x, { ...good, weights: new Float32Array(3) }],
      "weights has 3 numbers",
    ],
    [
      "order in a list",
      [t(2, 9), x, { ...good, rows: Uint32Array.of(1, 1) }],
      "rows must be ascending within [0, 3)",
    ],
    [
      "a list's bound",
      [t(2, 9), x, { ...good, below: Uint32Array.of(5) }],
      "below contains 5, outside [0, 5)",
    ],
  ])("rejects invalid arguments: %s", (_, values, message) => {
    expect(() => example.check(values)).toThrow(RangeError);
    expect(() => example.check(values)).toThrow(message);
  });

  it("is refused where it cannot be read", () => {
    expect(() => table({ bad: kernel("out[r,c] !") })).toThrow(/cannot be parsed at/);
    expect(() => table({ bad: kernel("out[r,2c]") })).toThrow('"2c" is not a size');
  });
});
