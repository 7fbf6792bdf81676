// Makes untrusted text (titles, ids, names of files and columns) safe to display. A line break in a title could forge a line
// of a table or a log, an escape sequence could control the terminal, and a bidirectional control could disguise text.
// Therefore all invisible characters are shown as escapes, as in JSON.

/** Letters of scripts, and emoji, that legitimately use the joiners U+200C and U+200D. */
const JOINED =
  "\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\u{fe0f}" +
  [
    ...["Arabic", "Syriac", "Mongolian", "Nko", "Mandaic"],
    ...["Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam"],
    ...["Sinhala", "Khmer", "Myanmar", "Tibetan"],
  ]
    .map((script) => `\\p{Script_Extensions=${script}}`)
    .join("");
/** Visible format characters (Cf): Arabic number signs and similar. */
const VISIBLE = "\\u{600}-\\u{605}\\u{6dd}\\u{70f}\\u{890}\\u{891}\\u{8e2}\\u{110bd}\\u{110cd}";

/** Control (C0, DEL, C1) and format characters, line and paragraph separators, lone surrogates. */
const invisible = new RegExp(
  // Joiners between such letters, and the tag sequences of regional flags, are part of visible text.
  `(?<=[${JOINED}])[\\u{200c}\\u{200d}](?=[${JOINED}])|\\u{1f3f4}[\\u{e0030}-\\u{e0039}\\u{e0061}-\\u{e007a}]+\\u{e007f}` +
    `|(?![${VISIBLE}])([\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}])`,
  "gu",
);
/** A quick test: most texts contain none of these characters. */
const suspicious = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
/** The style codes that foldin itself writes: bold, dim, a colour, and their ends (cli/style.ts). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with one
const ownStyles = /(\u001b\[(?:1|2|22|36|39)m)/;

/** The text on one line with invisible characters escaped: `\n`, `\t`, `\u001b`. Backslashes are not doubled: it is for display. */
export function printable(text: string): string {
  if (!suspicious.test(text)) return text;
  return text.replace(invisible, (whole, found: string | undefined) =>
    found === undefined ? whole : escaped(found),
  );
}

/** Like `printable`, but keeps the style codes that foldin itself writes. */
export function printableStyled(text: string): string {
  if (!suspicious.test(text)) return text;
  return text
    .split(ownStyles)
    .map((part, p) => (p % 2 === 1 ? part : printable(part)))
    .join("");
}

/** Equivalent JSON in which invisible characters are escaped, except for line breaks between its parts. */
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
