// Aligned text and numbers as people read them.

import stringWidth from "string-width";
import { printableStyled } from "../core/printable.js";

/** One column of a table. */
export interface Column {
  readonly heading: string;
  /** Default left. */
  readonly align?: "left" | "right";
}

/** What is seen as one character: a letter with its marks, an emoji of several parts. */
const graphemes = new Intl.Segmenter();

/** The cells of a terminal that a text takes; colours take none. */
export function displayWidth(text: string): number {
  return stringWidth(text);
}

/** A text cut to at most `cells` cells, the cut shown by an ellipsis. */
export function clip(text: string, cells: number): string {
  if (displayWidth(text) <= cells) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += displayWidth(segment);
    if (used > cells - 1) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

/**
 * Rows as aligned lines under their headings; columns are two blanks apart. A control character in a cell is shown as an
 * escape, so that a row is one line whatever its titles are.
 */
export function table(
  columns: readonly Column[],
  given: readonly (readonly string[])[],
  heading = (text: string) => text,
): string[] {
  const rows = given.map((row) => row.map(printableStyled));
  const widths = columns.map((column, c) =>
    rows.reduce((width, row) => Math.max(width, displayWidth(row[c] ?? "")), displayWidth(column.heading)),
  );
  const line = (cells: readonly string[], style = (text: string) => text) =>
    columns
      .map((column, c) => {
        const text = cells[c] ?? "";
        const blanks = " ".repeat(widths[c] - displayWidth(text));
        return column.align === "right" ? blanks + style(text) : style(text) + blanks;
      })
      .join("  ")
      .trimEnd();
  const headings = columns.map((column) => column.heading);
  const lines = rows.map((row) => line(row));
  return headings.some((text) => text !== "") ? [line(headings, heading), ...lines] : lines;
}

/** A text in lines of at most `cells` cells, broken at blanks. */
export function wrap(text: string, cells: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && displayWidth(line) + 1 + displayWidth(word) > cells) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** 1234567 -> "1,234,567". */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** "1 epoch", "2 epochs". */
export function plural(value: number, unit: string): string {
  return `${count(value)} ${unit}${value === 1 ? "" : "s"}`;
}

/** Four significant digits, no exponent for everyday sizes: 365.2, 0.2, 0.001. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}
