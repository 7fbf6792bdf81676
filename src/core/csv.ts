// Cells of CSV output.

import { printable } from "./printable.js";

/** A text as a CSV cell on one line (RFC 4180), with control characters escaped as in `printable`. */
export function csvCell(text: string): string {
  const shown = printable(text);
  return /[",]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
}
