// The navigation, by need. Pages are found, not listed: a new guide, decision or explanation appears by being written.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { DefaultTheme } from "vitepress";

type Item = DefaultTheme.SidebarItem;

const docs = resolve(import.meta.dirname, "..");

/** Pages of docs/ itself, by the group that they belong to; what is named nowhere is a how-to guide. */
const placed = {
  formats: ["datasets", "runs"],
  explanation: ["architecture", "glossary"],
  results: ["results", "reproducing", "sources", "performance"],
  elsewhere: ["index", "tutorial"],
};

/** The first heading of a page, without its markup. */
export function titleOf(markdown: string): string {
  const [, heading] = /^# +(.+)$/m.exec(markdown) ?? [];
  if (heading === undefined) throw new Error("a page of docs/ has no first heading");
  return heading.replace(/\s*\{#.*\}$/, "").replace(/[`*]|\\(?=[^\w\s])/g, "");
}

/** A page's place among its neighbours: `order: 2` in its front matter. */
function orderOf(markdown: string): number {
  const [, order] = /^---\n(?:.*\n)*?order: *(\d+)\n(?:.*\n)*?---/.exec(markdown) ?? [];
  return order === undefined ? Number.POSITIVE_INFINITY : Number(order);
}

/** A link to a page by its path below docs/, without ".md"; none where there is no such page. */
function page(path: string): (Item & { order: number })[] {
  const file = join(docs, `${path}.md`);
  if (!existsSync(file)) return [];
  const text = readFileSync(file, "utf8");
  return [{ text: titleOf(text), link: `/${path.replace(/(^|\/)index$/, "$1")}`, order: orderOf(text) }];
}

/** All pages of a folder, in their order and then by title. */
function pagesOf(folder: string): Item[] {
  if (!existsSync(join(docs, folder))) return [];
  return names(folder)
    .filter((name) => name !== "index")
    .flatMap((name) => page(folder === "" ? name : `${folder}/${name}`))
    .sort((a, b) => (a.order === b.order ? text(a).localeCompare(text(b)) : a.order - b.order))
    .map(({ text, link }) => ({ text, link }));
}

const text = ({ text = "" }: Item) => text;

function names(folder: string): string[] {
  return readdirSync(join(docs, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => name.slice(0, -".md".length));
}

/** A folder with an index page and pages, closed until it is looked into. */
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
    { text: "Library", link: `/${LIBRARY}/`, items },
    { text: "All documentation", link: "/tutorial" },
  ];
}

/**
 * The sidebars by the beginning of a page's address: the library's pages, of which there are many, have one of their own. Call it
 * after the references have been generated.
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
    { text: "Tutorial", items: page("tutorial") },
    { text: "How-to guides", items: guides },
    {
      text: "Reference",
      items: [
        ...section("Command line", "reference/command-line"),
        ...section("Model options", "reference/models"),
        ...page("reference/http"),
        ...(existsSync(join(docs, LIBRARY)) ? [{ text: "Library", link: `/${LIBRARY}/` }] : []),
        ...placed.formats.flatMap(page),
      ],
    },
    { text: "Explanation", items: [...pagesOf("explanation"), ...placed.explanation.flatMap(page)] },
    { text: "Results and reproduction", items: placed.results.flatMap(page) },
    { text: "Decisions", items: pagesOf("decisions"), collapsed: true },
  ];
  return groups.filter(({ items = [] }) => items.length > 0);
}
