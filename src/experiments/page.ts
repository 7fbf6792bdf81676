// What every page that foldin writes has around it: one self-contained file, light and dark, no script, no network.

import { writeFileWhole } from "../core/atomic-file.js";
import { version } from "../core/version.js";
import { Html, html } from "./html.js";
import { STYLE } from "./style.js";

export interface Page {
  /** Of the window. */
  readonly title: string;
  /** What the page says first; default the title. */
  readonly heading?: Html;
  readonly lead: string;
  /** CSS beside the common one. */
  readonly style?: string;
  readonly body: Html;
  /** Behind date and version at the foot. */
  readonly source?: string;
  /** When what the page shows was finished. */
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
<footer>Made by foldin ${version}, ${finished.toISOString().slice(0, 16).replace("T", " ")} UTC.${source && ` ${source}`}</footer>
</body>
</html>
`.text;
}

/** Writes a page, whole or not at all. */
export async function writePage(path: string, page: Page): Promise<void> {
  const text = pageText(page);
  await writeFileWhole(path, (file) => file.writeFile(text));
}
