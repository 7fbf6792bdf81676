import { defineConfig } from "vitepress";
import { equations, withoutEquations } from "./equations.js";
import { unlinkOutside } from "./links.js";
import { sidebars } from "./navigation.js";

/** Where the site is served, such as /foldin/. */
const base = process.env.FOLDIN_DOCS_BASE ?? "/";

/** Pages with wide tables, which need the space of the outline. Not in front matter, which the formatter does not know. */
const wide = ["results.md", "performance.md", "exporting.md"];

export default defineConfig({
  title: "foldin",
  description: "Train, evaluate and serve recommender systems from Node.js and TypeScript.",
  lang: "en",
  base,
  head: [["link", { rel: "icon", type: "image/svg+xml", href: `${base}favicon.svg` }]],
  ignoreDeadLinks: false,
  lastUpdated: false,
  transformPageData(page) {
    if (wide.includes(page.relativePath)) page.frontmatter.aside = false;
  },
  markdown: {
    languageAlias: { caddyfile: "nginx" },
    config(md) {
      md.use(equations);
      md.use(unlinkOutside);
    },
  },
  themeConfig: {
    outline: [2, 3],
    sidebar: sidebars(),
    nav: [
      { text: "Tutorial", link: "/tutorial" },
      { text: "Command line", link: "/reference/command-line/" },
      { text: "Models", link: "/explanation/models" },
      { text: "Library", link: "/reference/library/" },
    ],
    search: {
      provider: "local",
      options: {
        detailedView: true,
        // Words of four letters must match exactly, or "cold" would find "fold".
        miniSearch: { searchOptions: { fuzzy: 0.1 } },
        _render: (source, env, md) => md.renderAsync(withoutEquations(source), env),
      },
    },
    docFooter: { prev: "Previous", next: "Next" },
    footer: { message: "Released under the Apache License 2.0." },
  },
});
