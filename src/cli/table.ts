// Aligned tables and readable numbers.

import stringWidth from "string-width";
import { printableStyled } from "../core/printable.js";

/** One column of a table. */
export interface Column {
  readonly heading: string;
  /** Default left. */
  readonly align?: "left" | "right";
}

/** Splits text into user-perceived characters: a letter with its marks, an emoji of several code points. */
const graphemes = new Intl.Segmenter();

/** The width of a text in terminal cells, without colour codes. */
export function displayWidth(text: string): number {
  return stringWidth(text);
}

/** Truncates a text to at most `cells` cells, with an ellipsis. */
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
 * Aligned lines under their headings, with two spaces between columns. Control characters in cells are escaped, so each
 * row is one line.
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

/** Wraps a text at spaces into lines of at most `cells` cells. */
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

/** Four significant digits, with an exponent only for very large or small numbers: 365.2, 0.2, 0.001. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}
