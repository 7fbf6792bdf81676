import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { foldin: new URL("./src/index.ts", import.meta.url).pathname } },
  test: {
    include: ["test/**/*.test.ts"],
    // Against tests that hang, not slow machines: the packaging test installs from the registry.
    testTimeout: 240_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
