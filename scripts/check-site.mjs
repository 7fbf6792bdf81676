// Checks a built site: every internal link leads to a page and an anchor that exist, and no page loads anything from another host.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

/** Attributes from which a browser loads resources; `href` only on `link`. */
const FETCHED =
  /<(?:link\b[^>]*?\shref|(?:script|img|source|iframe|video|audio|use|object)\b[^>]*?\s(?:src|href|srcset|data))="([^"]*)"/g;
const LINKED = /<a\b[^>]*?\shref="([^"]*)"/g;
const IDS = /\s(?:id|name)="([^"]*)"/g;
/** In style sheets. */
const LOADED = /url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)/g;

const external = (address) => /^(?:[a-z]+:)?\/\//i.test(address);

function unescaped(text) {
  return text.replaceAll("&amp;", "&").replaceAll("&quot;", '"').replaceAll("&#39;", "'");
}

/** Checks all pages below `folder`, which is served at `base`. Returns the problems, one line each. */
export function checkSite(folder, base = "/") {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .sort();
  const html = new Map(
    files
      .filter((name) => name.endsWith(".html"))
      .map((name) => [name, readFileSync(join(folder, name), "utf8")]),
  );
  const anchors = new Map(
    [...html].map(([name, text]) => [name, new Set([...text.matchAll(IDS)].map(([, id]) => unescaped(id)))]),
  );
  const assets = new Set(files.filter((name) => /\.[a-z0-9]+$/i.test(name)));
  const problems = [];
  let links = 0;

  /** The file for an address within the site, or undefined. */
  function target(page, path) {
    if (path === "") return page;
    const absolute = path.startsWith("/") ? path : posix.join("/", dirname(page), path);
    if (!absolute.startsWith(base)) return undefined;
    const name = decodeURIComponent(absolute.slice(base.length));
    const candidates = [name, `${name}.html`, posix.join(name, "index.html")];
    return candidates.find((candidate) => html.has(candidate) || assets.has(candidate));
  }

  for (const [page, text] of html) {
    if (page === "404.html") continue;
    for (const [, address] of text.matchAll(FETCHED))
      if (external(unescaped(address))) problems.push(`${page}: loads ${address}`);
    for (const [, escaped] of text.matchAll(LINKED)) {
      const address = unescaped(escaped);
      links++;
      if (external(address) || /^(?:mailto|data):/.test(address)) continue;
      const [path, fragment] = address.split("#");
      const found = target(page, path);
      if (found === undefined) problems.push(`${page}: the page ${path} does not exist`);
      else if (fragment && !anchors.get(found)?.has(decodeURIComponent(fragment)))
        problems.push(`${page}: ${found} has no anchor #${fragment}`);
    }
  }
  for (const name of files.filter((file) => file.endsWith(".css")))
    for (const [, address, imported] of readFileSync(join(folder, name), "utf8").matchAll(LOADED))
      if (external(address ?? imported)) problems.push(`${name}: loads ${address ?? imported}`);
  return { pages: html.size, links, problems: [...new Set(problems)] };
}
