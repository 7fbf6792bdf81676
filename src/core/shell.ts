// Commands for the user to copy into a shell. Names are quoted so that the shell passes them unchanged as one word and never
// executes a part of them.

/** A text as one word of a POSIX shell. */
export function shellWord(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text) && !/^=/.test(text)) return text;
  if (!CONTROL.test(text) || /\n$/.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  // Control characters would affect the terminal, so the command creates them with printf.
  const escaped = [...text].map((character) => {
    if (character === "\\") return "\\\\";
    if (character === "%") return "%%";
    if (character !== "'" && !CONTROL.test(character)) return character;
    return [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  });
  return `"$(printf -- '${escaped.join("")}')"`;
}

/** Invisible characters: displayed as escapes (core/printable.ts), which a shell does not understand. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** A path as an argument that cannot be mistaken for an option. */
export function pathArgument(path: string): string {
  return path.startsWith("-") ? `./${path}` : path;
}

/** A command line that passes exactly these words; undefined words are omitted. */
export function shellCommand(...words: readonly (string | undefined)[]): string {
  return words.flatMap((word) => (word === undefined ? [] : [shellWord(word)])).join(" ");
}
