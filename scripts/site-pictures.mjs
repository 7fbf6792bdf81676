// Takes screenshots of the built documentation site, to check after a change of its theme: `npm run docs`, then
// `node scripts/site-pictures.mjs <folder>`. CHROMIUM names the browser (default /usr/bin/chromium).
import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";

const site = join(import.meta.dirname, "..", "docs", ".vitepress", "dist");
const folder = process.argv[2] ?? "test-output/site";
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

const pages = {
  home: "/",
  tutorial: "/tutorial",
  guide: "/guides/choosing-a-model",
  models: "/explanation/models#mult-vae",
  "command-line": "/reference/command-line/train",
  library: "/reference/library/functions/recommend",
  results: "/results",
  decision: "/decisions/locks",
};

const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  for (const name of [path, `${path}.html`, join(path, "index.html")])
    try {
      const body = readFileSync(join(site, name));
      response.writeHead(200, { "content-type": types[extname(name)] ?? "application/octet-stream" });
      return response.end(body);
    } catch {
      // Try the next form of the address.
    }
  response.writeHead(404).end();
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const base = `http://127.0.0.1:${server.address().port}`;

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  const forms = [
    { suffix: "", viewport: { width: 1440, height: 900 }, colorScheme: "light" },
    { suffix: "-dark", viewport: { width: 1440, height: 900 }, colorScheme: "dark" },
    { suffix: "-phone", viewport: { width: 390, height: 844 }, colorScheme: "light" },
  ];
  for (const { suffix, ...form } of forms) {
    const page = await browser.newPage(form);
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(base + path, { waitUntil: "networkidle" });
      await page.screenshot({ path: join(folder, `${name}${suffix}.png`) });
      const { wide, full } = await page.evaluate(() => ({
        wide: document.documentElement.scrollWidth,
        full: window.innerWidth,
      }));
      if (wide > full) console.error(`${path}${suffix}: ${wide} px of content in ${full} px`);
    }
    await page.keyboard.press("Control+k");
    await page.keyboard.type("cold start");
    await page.waitForTimeout(1000);
    await page.screenshot({ path: join(folder, `search${suffix}.png`) });
    await page.close();
  }
} finally {
  await browser.close();
  server.close();
}
console.log(`pictures are in ${folder}`);
