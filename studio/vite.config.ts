import { defineConfig } from "vite";

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../dist/studio/page",
    emptyOutDir: true,
    target: "es2022",
    // Nothing may be inlined as a data: address: the policy of the page allows only files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The texts of the licences of everything in the page.
    license: { fileName: "licences.txt" },
    // Vega is one large file, which is loaded after the first page.
    chunkSizeWarningLimit: 2000,
  },
});
