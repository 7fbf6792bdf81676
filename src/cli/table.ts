// Aligned text and numbers as people read them.

/** One column of a table. */
export interface Column {
  readonly heading: string;
  /** Default left. */
  readonly align?: "left" | "right";
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with one
const escapes = /\u001b\[[0-9;]*m/g;
/** Characters that take two cells of a terminal: CJK, Hangul, kana, full-width forms, emoji. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const combining = /\p{Mark}|\u200d/u;

/** The cells of a terminal that a text takes. */
export function displayWidth(text: string): number {
  let cells = 0;
  for (const character of text.replace(escapes, ""))
    cells += wide.test(character) ? 2 : combining.test(character) ? 0 : 1;
  return cells;
}

/** A text cut to at most `cells` cells, the cut shown by an ellipsis. */
export function clip(text: string, cells: number): string {
  if (displayWidth(text) <= cells) return text;
  let kept = "";
  let used = 0;
  for (const character of text) {
    used += displayWidth(character);
    if (used > cells - 1) break;
    kept += character;
  }
  return `${kept.trimEnd()}…`;
}

/** Rows as aligned lines under their headings; columns are two blanks apart. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  heading = (text: string) => text,
): string {
  const widths = columns.map((column, c) =>
    Math.max(displayWidth(column.heading), ...rows.map((row) => displayWidth(row[c] ?? ""))),
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
  return (headings.some((text) => text !== "") ? [line(headings, heading), ...lines] : lines).join("\n");
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

/** Seconds as "0.4 s", "12 s", "3 min 20 s", "2 h 5 min". */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
