// Text that came from outside (titles, ids, names of files and columns) as it may be shown to people. A line break in a
// title would forge a line of a table or of a log, an escape sequence would drive the terminal, and a bidirectional
// control would show one thing and mean another. So whatever is not visible is shown as an escape, as JSON writes it.

/** The letters of scripts, and the emoji, that are joined and parted by U+200C and U+200D. */
const JOINED =
  "\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\u{fe0f}" +
  [
    ...["Arabic", "Syriac", "Mongolian", "Nko", "Mandaic"],
    ...["Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam"],
    ...["Sinhala", "Khmer", "Myanmar", "Tibetan"],
  ]
    .map((script) => `\\p{Script_Extensions=${script}}`)
    .join("");
/** Format characters (Cf) that are visible: the Arabic number signs and their like. */
const VISIBLE = "\\u{600}-\\u{605}\\u{6dd}\\u{70f}\\u{890}\\u{891}\\u{8e2}\\u{110bd}\\u{110cd}";

/** Control (C0, DEL, C1) and format characters, line and paragraph separators, halves of surrogate pairs. */
const invisible = new RegExp(
  // A joiner that joins, and the tags that make a flag of a region, belong to what is seen.
  `(?<=[${JOINED}])[\\u{200c}\\u{200d}](?=[${JOINED}])|\\u{1f3f4}[\\u{e0030}-\\u{e0039}\\u{e0061}-\\u{e007a}]+\\u{e007f}` +
    `|(?![${VISIBLE}])([\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}])`,
  "gu",
);
/** Most texts need nothing, and this finds it out without looking at neighbours. */
const suspicious = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
/** What the program itself writes to a terminal: bold, dim, a colour, and their ends (cli/style.ts). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with one
const ownStyles = /(\u001b\[(?:1|2|22|36|39)m)/;

/** The text on one line with everything invisible escaped: `\n`, `\t`, `\u001b`. Backslashes stay single: it is for reading. */
export function printable(text: string): string {
  if (!suspicious.test(text)) return text;
  return text.replace(invisible, (whole, found: string | undefined) =>
    found === undefined ? whole : escaped(found),
  );
}

/** As `printable`, and leaves the colour codes that the program itself has written. */
export function printableStyled(text: string): string {
  if (!suspicious.test(text)) return text;
  return text
    .split(ownStyles)
    .map((part, p) => (p % 2 === 1 ? part : printable(part)))
    .join("");
}

/** JSON of the same data in which everything invisible is escaped, but the line breaks between its parts. */
export function printableJson(json: string): string {
  return json.replace(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    Array.from({ length: found.length }, (_, unit) => hexadecimal(found.charCodeAt(unit))).join(""),
  );
}

/** The escape of one character. */
export function escaped(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  if (character === "\r") return "\\r";
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : hexadecimal(code);
}

function hexadecimal(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}
