// Compares the kernels of this machine's addon with the naive formulas of test/support/engines.ts, as
// test/compute/engines/native.test.ts does, but without vitest, which is too slow under an emulator:
// node scripts/kernel-parity.mjs [rounds [first case]]. Needs Node.js 22.18 or newer, which runs TypeScript. docs/support.md says how
// the addon for another processor is built and tested with it.
import { registerHooks } from "node:module";

// The sources import each other by the names that they have once they are compiled.
registerHooks({
  resolve(name, context, next) {
    try {
      return next(name, context);
    } catch (error) {
      if (!/^\..*\.js$/.test(name)) throw error;
      return next(name.replace(/\.js$/, ".ts"), context);
    }
  },
});
const { loadNativeEngine, platformName } = await import("../src/compute/engines/native.ts");
const { bestProductsCase, kernelCases, relativeDifference, runCase, tolerance, topKCase } = await import(
  "../test/support/engines.ts"
);

const [rounds = 120, first = 0] = process.argv.slice(2).map(Number);
const opened = loadNativeEngine({ threads: 3 });
if ("reason" in opened) throw new Error(opened.reason);
const { engine } = opened;
console.log(`${platformName()}, ${process.version}: ${engine.description}; ${rounds} rounds a case`);

const ranked = [topKCase, bestProductsCase];
let failed = 0;
let passed = 0;
for (const kernelCase of [...kernelCases, ...ranked].slice(first)) {
  let worst = 0;
  await runCase(kernelCase, engine, rounds, (outcome) => {
    const same = () => Array.from(outcome.actual).every((x, i) => Object.is(x, outcome.expected[i]));
    const difference = ranked.includes(kernelCase)
      ? same() && outcome.actual.length === outcome.expected.length
        ? 0
        : Number.POSITIVE_INFINITY
      : relativeDifference(outcome);
    worst = Math.max(worst, difference);
  });
  const ok = worst <= (ranked.includes(kernelCase) ? 0 : tolerance(kernelCase));
  if (ok) passed++;
  else failed++;
  console.log(
    `${ok ? "ok" : "FAILED"} ${kernelCase.kernel}: largest relative difference ${worst.toExponential(1)}`,
  );
}
await engine.close();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
