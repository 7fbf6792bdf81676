// Options for the format of a text file: delimiter, header, encoding, quotes. Interactions, histories, items and content
// have the same options under different prefixes.

import type { Command } from "commander";
import type { FileOptions, QueryOptions } from "../data/table-source.js";

/** The parsed options from commander. */
export type FileFlags = Readonly<Record<string, unknown>>;

/** Adds the options, such as --delimiter or --items-delimiter; `what` names the file in the help. */
export function addFileOptions<C extends Command>(
  command: C,
  prefix: "" | "items-" | "content-",
  what: string,
): C {
  const about = what === "" ? "" : `${what}: `;
  return command
    .option(`--${prefix}columns <names>`, `${about}comma-separated column names, for a file without a header`)
    .option(
      `--${prefix}delimiter <text>`,
      `${about}column delimiter: "," ";" "|" "::" tab, or other text (default: detected)`,
    )
    .option(`--${prefix}header`, `${about}the first line is a header (default: detected)`)
    .option(prefix === "" ? "--no-header" : `--${prefix}no-header`, `${about}the first line is data`)
    .option(
      `--${prefix}encoding <name>`,
      `${about}utf-8, latin-1, windows-1251, gbk, utf-16le, ... (default: detected)`,
    )
    .option(
      `--${prefix}quote <char>`,
      `${about}quote character, or none if fields are not quoted (default: detected)`,
    )
    .option(
      `--${prefix}escape <char>`,
      `${about}escape character before a quote within a field, such as '\\'`,
    ) as C;
}

/** The given options. */
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

/** The first given option, as written on the command line. */
export function givenFileOption(given: FileFlags, prefix: "" | "items-" | "content-"): string | undefined {
  const names = ["columns", "delimiter", "header", "no-header", "encoding", "quote", "escape"];
  const found = names.find((name) => given[nameOf(prefix, name)] !== undefined);
  if (found === undefined) return undefined;
  return prefix === "" && found === "header" && given.header === false
    ? "--no-header"
    : `--${prefix}${found}`;
}

/** Commander's name of an option: "items-no-header" becomes itemsNoHeader. */
const nameOf = (prefix: string, name: string): string =>
  `${prefix}${name}`.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());

/** Adds --query and --table, which choose the rows of a database; `what` names the input in the help. */
export function addQueryOptions<C extends Command>(command: C, prefix: "" | "items-", what: string): C {
  return command
    .option(`--${prefix}query <select>`, `${what}database: the rows of this SELECT`)
    .option(`--${prefix}table <name>`, `${what}database: the rows of this table or view`) as C;
}

/** The given query options. */
export function queryOptions(given: FileFlags, prefix: "" | "items-"): QueryOptions {
  const text = (name: string) => {
    const found = given[nameOf(prefix, name)];
    return typeof found === "string" ? found : undefined;
  };
  return { query: text("query"), table: text("table") };
}

/** The first given query option, as written on the command line. */
export function givenQueryOption(given: FileFlags, prefix: "" | "items-"): string | undefined {
  const found = Object.entries(queryOptions(given, prefix)).find(([, value]) => value !== undefined);
  return found && `--${prefix}${found[0]}`;
}
