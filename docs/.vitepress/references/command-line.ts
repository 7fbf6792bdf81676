// The reference of the command line: a page for every command, from what commander knows of it.

import type { EventEmitter } from "node:events";
import type { Argument, Command, Option } from "commander";
import {
  capitalised,
  code,
  codeBlock,
  escapeText,
  generatedFrom,
  type Pages,
  page,
  sentence,
  table,
} from "./markdown.js";

/** Exit codes, as src/cli/run.ts gives them. */
const exitCodes: readonly [string, string][] = [
  ["0", "The command succeeded."],
  ["1", "The command failed for a reason that is not the user's input, or a check failed."],
  ["2", "The command line, a file or an option is wrong. The message names it."],
  ["130, 143", "The command was stopped by Ctrl-C or SIGTERM."],
];

/** The file of a command's page. "index.md" is the overview. */
export const fileOf = (name: string): string => `${name === "index" ? "index-command" : name}.md`;

/** The pages of these commands, and their index. */
export function commandLinePages(commands: readonly Command[]): Pages {
  const sorted = commands.toSorted((a, b) => a.name().localeCompare(b.name()));
  return {
    "command-line/index.md": indexPage(sorted),
    ...Object.fromEntries(
      sorted.map((command) => [`command-line/${fileOf(command.name())}`, commandPage(command)]),
    ),
  };
}

function indexPage(commands: readonly Command[]): string {
  return page([
    generatedFrom("the commands"),
    "# Command line",
    `${code("foldin <command> [options]")}. Results are written to standard output, everything else to standard error. With ${code("--json")}, standard output holds exactly one JSON object.`,
    table(
      ["Command", "Purpose"],
      commands.map((command) => [
        `[${code(`foldin ${command.name()}`)}](./${fileOf(command.name())})`,
        sentence(prose(command.summary() || command.description())),
      ]),
    ),
    `${code("foldin help <command>")} prints the same information in the terminal. ${code("foldin --version")} prints the version.`,
    "## Exit codes",
    table(["Code", "Meaning"], exitCodes),
  ]);
}

function commandPage(command: Command): string {
  const options = command.options.filter(({ hidden }) => !hidden);
  return page([
    generatedFrom("the command"),
    `# foldin ${command.name()}`,
    sentence(prose(command.description() || command.summary())),
    codeBlock("sh", `foldin ${command.name()} ${command.usage()}`),
    command.registeredArguments.length > 0 ? "## Arguments" : undefined,
    command.registeredArguments.length > 0
      ? table(["Argument", "Meaning"], command.registeredArguments.map(argumentRow))
      : undefined,
    "## Options",
    table(["Option", "Default", "Meaning"], options.map(optionRow)),
    ...afterHelp(command),
  ]);
}

function argumentRow(argument: Argument): string[] {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return [code(argument.required ? `<${name}>` : `[${name}]`), sentence(prose(argument.description))];
}

function optionRow(option: Option): string[] {
  const { description, byDefault } = defaultIn(option);
  const choices = option.argChoices ? ` One of ${option.argChoices.map(code).join(", ")}.` : "";
  return [
    code(option.flags),
    byDefault === undefined ? "" : escapeText(byDefault),
    `${sentence(prose(description))}${choices}`,
  ];
}

/** Commander's own default, or what the description says at its end: "(default: 98765)", "(...; default: mult-vae)", "(default 5)". */
function defaultIn({ description, defaultValue, defaultValueDescription }: Option) {
  const [, text, rest = "", said] =
    /^(.*?)\s*\((?:([^()]*); )?default:? ([^()]*)\)$/s.exec(description) ?? [];
  if (said !== undefined) return { description: rest === "" ? text : `${text} (${rest})`, byDefault: said };
  const known = defaultValueDescription ?? (defaultValue === undefined ? undefined : String(defaultValue));
  return { description, byDefault: known };
}

/** What `addHelpText("after", ...)` adds: sections that begin with a line such as "Examples:". */
function afterHelp(command: Command): string[] {
  let text = "";
  // An emitter, though its types do not say so.
  (command as unknown as EventEmitter).emit("afterHelp", {
    error: false,
    command,
    write: (part: string) => (text += part),
  });
  const blocks: string[] = [];
  for (const section of text.trim().split(/\n(?=\S[^\n]*:\n)/)) {
    const [, title, body] = /^(\S[^\n]*):\n(.*)$/s.exec(section) ?? [];
    if (title === undefined) {
      if (section !== "") blocks.push(codeBlock("text", dedent(section)));
    } else blocks.push(`## ${escapeText(title)}`, codeBlock(isShell(body) ? "sh" : "text", dedent(body)));
  }
  return blocks;
}

/** A description as Markdown: a capital letter and a full stop; options and commands as code. */
function prose(text: string): string {
  return text
    .split(
      /(\bfoldin [a-z][a-z-]*(?: <[a-z]+>)?|(?<![\w-])--[a-z][a-z-]*(?:[= ]<[a-z]+>|[= ][a-z]+=(?:<n>|\w+))?)/,
    )
    .map((part, i) => (i % 2 === 1 ? code(part) : escapeText(i === 0 ? capitalised(part) : part)))
    .join("");
}

const isShell = (text: string) => /^\s*(npx )?foldin /.test(text);

function dedent(text: string): string {
  const lines = text.replace(/^\n+|\s+$/g, "").split("\n");
  const least = Math.min(
    ...lines.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length),
  );
  return lines.map((line) => line.slice(least)).join("\n");
}
