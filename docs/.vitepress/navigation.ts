// The navigation, by need. Pages are found, not listed: a new guide, decision or explanation is added automatically.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { DefaultTheme } from "vitepress";

type Item = DefaultTheme.SidebarItem;

const docs = resolve(import.meta.dirname, "..");

/** Pages of docs/ itself, by group; a page that is not named here is a how-to guide. */
const placed = {
  formats: ["datasets", "runs", "serving", "rules", "rules-reranking", "exporting"],
  explanation: ["architecture", "glossary"],
  results: ["results", "reproducing", "sources", "performance", "large-catalogues"],
  elsewhere: ["index", "tutorial"],
};

/** The first heading of a page, without its markup. */
export function titleOf(markdown: string): string {
  const [, heading] = /^# +(.+)$/m.exec(markdown) ?? [];
  if (heading === undefined) throw new Error("a page of docs/ has no first heading");
  return heading.replace(/\s*\{#.*\}$/, "").replace(/[`*]|\\(?=[^\w\s])/g, "");
}

/** Pages that come before their neighbours, which are sorted by title. */
const first = ["guides/choosing-a-model"];

/** A link to a page by its path below docs/, without ".md"; empty if the page does not exist. */
function page(path: string): Item[] {
  const file = join(docs, `${path}.md`);
  if (!existsSync(file)) return [];
  return [{ text: titleOf(readFileSync(file, "utf8")), link: `/${path.replace(/(^|\/)index$/, "$1")}` }];
}

/** All pages of a folder, by title. */
function pagesOf(folder: string): Item[] {
  if (!existsSync(join(docs, folder))) return [];
  return names(folder)
    .filter((name) => name !== "index")
    .flatMap((name) => page(folder === "" ? name : `${folder}/${name}`))
    .sort((a, b) => place(a) - place(b) || text(a).localeCompare(text(b)));
}

const text = ({ text = "" }: Item) => text;
const place = ({ link = "" }: Item) => (first.includes(link.slice(1)) ? 0 : 1);

function names(folder: string): string[] {
  return readdirSync(join(docs, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => name.slice(0, -".md".length));
}

/** A collapsed section for a folder, with its index page if there is one. */
function section(title: string, folder: string): Item[] {
  const items = pagesOf(folder);
  if (items.length === 0) return [];
  const index = existsSync(join(docs, folder, "index.md")) ? { link: `/${folder}/` } : {};
  return [{ text: title, ...index, items, collapsed: true }];
}

const LIBRARY = "reference/library";

/** TypeDoc's pages: a group per kind. */
function library(): Item[] {
  const kinds: [string, string][] = [
    ["Functions", "functions"],
    ["Classes", "classes"],
    ["Interfaces", "interfaces"],
    ["Types", "type-aliases"],
    ["Constants", "variables"],
  ];
  const items = kinds.flatMap(([title, kind]) =>
    section(title, `${LIBRARY}/${kind}`).map((group) => ({ ...group, collapsed: kind !== "functions" })),
  );
  return [
    { text: "Library: foldin", link: `/${LIBRARY}/`, items },
    ...page("reference/serving"),
    { text: "All documentation", link: "/tutorial" },
  ];
}

/**
 * The sidebars by the beginning of a page's address: the library has one of its own, because it has many pages. Call this after
 * the references have been generated.
 */
export function sidebars(): Record<string, Item[]> {
  return { [`/${LIBRARY}/`]: library(), "/": general() };
}

function general(): Item[] {
  const known = new Set(Object.values(placed).flat());
  const guides = [
    ...pagesOf("guides"),
    ...names("")
      .filter((name) => !known.has(name))
      .flatMap(page),
  ];
  const groups: Item[] = [
    { text: "Getting started", items: page("tutorial") },
    { text: "How-to guides", items: guides },
    {
      text: "Reference",
      items: [
        ...section("Command line", "reference/command-line"),
        ...section("Model options", "reference/models"),
        ...page("reference/http"),
        ...(existsSync(join(docs, LIBRARY)) ? [{ text: "Library: foldin", link: `/${LIBRARY}/` }] : []),
        ...page("reference/serving"),
        ...placed.formats.flatMap(page),
      ],
    },
    { text: "Explanation", items: [...pagesOf("explanation"), ...placed.explanation.flatMap(page)] },
    { text: "Results and reproduction", items: placed.results.flatMap(page) },
    { text: "Decisions", items: pagesOf("decisions"), collapsed: true },
  ];
  return groups.filter(({ items = [] }) => items.length > 0);
}
