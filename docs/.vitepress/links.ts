// Links as they are written in docs/ also work in a repository browser, and there some leave docs/: to a source file, to the
// README. The site has no such pages, so it shows their text alone.

import { join, normalize } from "node:path";
import type MarkdownIt from "markdown-it";

const isRelative = (href: string) => !/^(?:[a-z]+:|\/|#)/i.test(href);

/** Whether a link in a page (by its path below docs/) leads out of docs/. */
export function leavesDocs(href: string, page: string): boolean {
  if (!isRelative(href)) return false;
  return normalize(join(page, "..", href.split("#")[0])).startsWith("..");
}

export function unlinkOutside(md: MarkdownIt): void {
  md.core.ruler.push("unlink-outside", ({ tokens, env }) => {
    const { relativePath = "" } = env as { relativePath?: string };
    for (const { children } of tokens) {
      let unlinked = false;
      for (const token of children ?? []) {
        if (token.type === "link_open") unlinked = leavesDocs(String(token.attrGet("href")), relativePath);
        if (!unlinked || !token.type.startsWith("link_")) continue;
        if (token.type === "link_close") unlinked = false;
        token.tag = "span";
        token.attrs = null;
        token.type = `unlinked_${token.nesting === 1 ? "open" : "close"}`;
      }
    }
  });
}
