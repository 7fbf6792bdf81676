// Options that say how a file is written: its delimiter, header, encoding, quotation marks. The same for interactions, histories,
// items and content, with another prefix.

import type { Command } from "commander";
import type { FileOptions } from "../data/table-source.js";

/** What commander hands over. */
export type FileFlags = Readonly<Record<string, unknown>>;

/** Adds the options, such as --delimiter or --items-delimiter; `what` is the file that they are about. */
export function addFileOptions<C extends Command>(
  command: C,
  prefix: "" | "items-" | "content-",
  what: string,
): C {
  const about = what === "" ? "" : `${what}: `;
  return command
    .option(
      `--${prefix}columns <names>`,
      `${about}the columns' names, with commas, for a file without a header`,
    )
    .option(
      `--${prefix}delimiter <text>`,
      `${about}what separates columns: "," ";" "|" "::" tab, or other text`,
    )
    .option(`--${prefix}header`, `${about}the first line names the columns`)
    .option(prefix === "" ? "--no-header" : `--${prefix}no-header`, `${about}the first line is a row already`)
    .option(
      `--${prefix}encoding <name>`,
      `${about}utf-8, latin-1, windows-1251, gbk, utf-16le, ... (default: by its bytes)`,
    )
    .option(`--${prefix}quote <char>`, `${about}what quotes fields: a character, or none for letters`)
    .option(
      `--${prefix}escape <char>`,
      `${about}what stands before a quotation mark within a field, such as '\\'`,
    ) as C;
}

/** The options that were given. */
export function fileOptions(given: FileFlags, prefix: "" | "items-" | "content-"): FileOptions {
  const value = (name: string) => given[nameOf(prefix, name)];
  const text = (name: string) => {
    const found = value(name);
    return typeof found === "string" ? found : undefined;
  };
  const delimiter = text("delimiter");
  const header = value("header");
  return {
    columns: text("columns")
      ?.split(",")
      .map((name) => name.trim()),
    delimiter: delimiter === "tab" || delimiter === "\\t" ? "\t" : delimiter,
    header: value("no-header") === true ? false : typeof header === "boolean" ? header : undefined,
    encoding: text("encoding"),
    quote: text("quote"),
    escape: text("escape"),
  };
}

/** The first of the options that was given, as a person writes it. */
export function givenFileOption(given: FileFlags, prefix: "" | "items-" | "content-"): string | undefined {
  const names = ["columns", "delimiter", "header", "no-header", "encoding", "quote", "escape"];
  const found = names.find((name) => given[nameOf(prefix, name)] !== undefined);
  if (found === undefined) return undefined;
  return prefix === "" && found === "header" && given.header === false
    ? "--no-header"
    : `--${prefix}${found}`;
}

/** As commander calls an option: "items-no-header" is itemsNoHeader. */
const nameOf = (prefix: string, name: string): string =>
  `${prefix}${name}`.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
