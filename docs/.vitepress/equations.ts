// Equations, $...$ and $$...$$, are set when the site is built: pages need no script and no font from elsewhere for them.

import { tex } from "@mdit/plugin-tex";
import katex from "katex";
import type MarkdownIt from "markdown-it";

export function equations(md: MarkdownIt): void {
  md.use(tex, {
    delimiters: "dollars",
    render(content: string, display: boolean): string {
      const html = katex.renderToString(content, { displayMode: display, throwOnError: true });
      // Vue must leave the result as it is. The element that scrolls can be reached by the keyboard.
      return display ? `<p v-pre class="equation" tabindex="0">${html}</p>` : `<span v-pre>${html}</span>`;
    },
  });
}

/** For the search index, which would list every symbol. */
export function withoutEquations(markdown: string): string {
  return markdown.replace(/\$\$[\s\S]*?\$\$/g, "").replace(/\$[^$\n]+\$/g, "");
}
