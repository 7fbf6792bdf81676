// The page of `foldin/serving`: TypeDoc documents all of its exports as part of `foldin`, so this page lists and links them.

import ts from "typescript";
import { code, escapeText, generatedFrom, type Pages, page, table } from "./markdown.js";

/** What TypeDoc has a folder of pages for, in the order of this page. */
const kinds = [
  { title: "Functions", folder: "functions", flag: ts.SymbolFlags.Function },
  { title: "Classes", folder: "classes", flag: ts.SymbolFlags.Class },
  { title: "Interfaces", folder: "interfaces", flag: ts.SymbolFlags.Interface },
  { title: "Types", folder: "type-aliases", flag: ts.SymbolFlags.TypeAlias },
  { title: "Constants", folder: "variables", flag: ts.SymbolFlags.Variable },
];

/** The symbols that a module exports, by name. */
function exportsOf(entry: string): { readonly checker: ts.TypeChecker; readonly symbols: ts.Symbol[] } {
  // Names and docstrings need no types of Node or of packages, which would take most of the time to read.
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ESNext,
    noLib: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  host.resolveModuleNames = (names, file) =>
    names.map((name) =>
      name.startsWith(".") ? ts.resolveModuleName(name, file, options, host).resolvedModule : undefined,
    );
  const program = ts.createProgram([entry], options, host);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry);
  const module = source && checker.getSymbolAtLocation(source);
  if (!module) throw new Error(`${entry} is not a module`);
  const symbols = checker
    .getExportsOfModule(module)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol));
  return { checker, symbols: symbols.sort((a, b) => a.name.localeCompare(b.name)) };
}

/** The first sentence of a docstring, as Markdown. */
function summary(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const [first = ""] = ts
    .displayPartsToString(symbol.getDocumentationComment(checker))
    .split(/(?<=[.!?:])\s+(?=[A-Z`[])|\n\n/);
  return escapeText(first.trim());
}

/** The page that lists the exports of `entry`, the file behind `foldin/serving`. */
export function servingPages(entry: string): Pages {
  const { checker, symbols } = exportsOf(entry);
  const sections = kinds.flatMap(({ title, folder, flag }) => {
    const rows = symbols
      .filter(({ flags }) => flags & flag)
      .map((symbol) => [
        `[${code(symbol.name)}](library/${folder}/${symbol.name}.md)`,
        summary(symbol, checker),
      ]);
    return rows.length > 0 ? [`## ${title}`, table(["Name", "Description"], rows)] : [];
  });
  const text = page([
    generatedFrom("src/serving/index.ts", { outline: true }),
    "# Library: foldin/serving",
    "`foldin/serving` contains what a program needs to use a trained model. Importing it loads no training code and no DuckDB. Everything in it is also exported by [`foldin`](library/index.md). [Serving a trained run](../serving.md) has examples.",
    ...sections,
  ]);
  return { "serving.md": text };
}
