// Cells of the CSV that commands write.

import { printable } from "./printable.js";

/** A text as one cell of one line (RFC 4180), with control characters escaped as `printable` does. */
export function csvCell(text: string): string {
  const shown = printable(text);
  return /[",]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
}
