// The frame of every page that foldin writes: one self-contained file, light and dark, no script, no network.

import { writeFileWhole } from "../core/atomic-file.js";
import { version } from "../core/version.js";
import { Html, html } from "./html.js";
import { STYLE } from "./style.js";

export interface Page {
  /** The title of the window. */
  readonly title: string;
  /** The main heading. Default: the title. */
  readonly heading?: Html;
  readonly lead: string;
  /** CSS in addition to the common style sheet. */
  readonly style?: string;
  readonly body: Html;
  /** Text in the footer after version and date. */
  readonly source?: string;
  /** When the results on the page were finished. */
  readonly finished: Date;
}

/** The whole text of a page. */
export function pageText({ title, heading, lead, style = "", body, source, finished }: Page): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(STYLE + style)}</style>
</head>
<body>
<header>
<h1>${heading ?? title}</h1>
<p class="lead">${lead}</p>
</header>
<main>
${body}
</main>
<footer>Created by foldin ${version}, ${finished.toISOString().slice(0, 16).replace("T", " ")} UTC.${source && ` ${source}`}</footer>
</body>
</html>
`.text;
}

/** Writes a page atomically. */
export async function writePage(path: string, page: Page): Promise<void> {
  const text = pageText(page);
  await writeFileWhole(path, (file) => file.writeFile(text));
}
