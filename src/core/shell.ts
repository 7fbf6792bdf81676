// Commands that a person copies into a shell. Whatever a name holds, the shell passes it on as that one word and runs
// nothing else.

/** A text as one word of a POSIX shell. */
export function shellWord(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text) && !/^=/.test(text)) return text;
  if (!CONTROL.test(text) || /\n$/.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  // Control characters would act on the terminal: printf makes them where the command runs.
  const escaped = [...text].map((character) => {
    if (character === "\\") return "\\\\";
    if (character === "%") return "%%";
    if (character !== "'" && !CONTROL.test(character)) return character;
    return [...Buffer.from(character)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  });
  return `"$(printf -- '${escaped.join("")}')"`;
}

/** What is not seen, or acts on a terminal, and would be shown as an escape (core/printable.ts): no shell reads those. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** A path as an argument that is not taken for an option. */
export function pathArgument(path: string): string {
  return path.startsWith("-") ? `./${path}` : path;
}

/** A command line that passes exactly these words; words that are undefined are left out. */
export function shellCommand(...words: readonly (string | undefined)[]): string {
  return words.flatMap((word) => (word === undefined ? [] : [shellWord(word)])).join(" ");
}
