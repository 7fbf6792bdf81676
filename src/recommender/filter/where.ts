// The text form of a filter, such as: genre = Comedy and year >= 1990
//
//   filter     = term { "or" term }          term = factor { "and" factor }
//   factor     = "not" factor | "(" filter ")" | condition
//   condition  = name ("=" | "!=" | "<" | "<=" | ">" | ">=") value
//              | name ["not"] "in" "(" value { "," value } ")"
//              | name "is" ["not"] "missing"
//
// Names and values are words, or texts in single or double quotes, in which a doubled quote stands for one. An unquoted value that is
// a number or true or false becomes one, if it is written as JSON writes it. The keywords can be in any case. Each character is read
// once, and positions count characters from 1.

import { UserError } from "../../core/errors.js";
import { type Bound, type Condition, type Filter, type FilterValue, MOST_DEPTH } from "./filter.js";

interface Token {
  readonly kind: "word" | "quoted" | "sign" | "end";
  readonly text: string;
  /** From 1. */
  readonly at: number;
}

const BLANK = /\s*/y;
const SIGN = /!=|<=|>=|<>|==|[=<>(),]/y;
const WORD = /[^\s=<>!(),'"]+/y;
const QUOTED = /'[^']*(?:''[^']*)*'(?!')|"[^"]*(?:""[^"]*)*"(?!")/y;

const signs: Readonly<Record<string, "is" | "isNot" | Bound>> = {
  ...{ "=": "is", "==": "is", "!=": "isNot", "<>": "isNot" },
  ...{ "<": "below", "<=": "atMost", ">": "above", ">=": "atLeast" },
};
const keywords = new Set(["and", "or", "not", "in", "is"]);

/** The longest text. */
const MOST_LENGTH = 100_000;

/** Where conditions stand in the text that they were parsed from. */
const places = new WeakMap<object, string>();

/** The place of a condition that was parsed from a text. */
export const placeOf = (condition: object): string | undefined => places.get(condition);

/**
 * Parses the text of a filter. Throws UserError, naming `place` and the position. Errors about attributes and their types, which are
 * found when the filter is applied, name the position too.
 */
export function parseWhere(text: string, place = "where"): Filter {
  if (text.length > MOST_LENGTH)
    throw new UserError({
      place,
      problem: `has ${text.length} characters`,
      expected: `at most ${MOST_LENGTH}`,
    });
  return new Parser(text, place).parse();
}

class Parser {
  readonly #text: string;
  readonly #place: string;
  #token: Token;
  #end = 0;
  #depth = 0;

  constructor(text: string, place: string) {
    this.#text = text;
    this.#place = place;
    this.#token = this.#read();
  }

  parse(): Filter {
    if (this.#isAt("end"))
      throw new UserError({ place: this.#place, problem: "is empty", expected: EXAMPLE });
    const filter = this.#any();
    if (!this.#isAt("end"))
      throw this.#unexpected("and, or, or the end", this.#isAt("sign") ? undefined : QUOTE);
    return filter;
  }

  #isAt(kind: Token["kind"]): boolean {
    return this.#token.kind === kind;
  }

  #any(): Filter {
    const terms = [this.#all()];
    while (this.#takeWord("or")) terms.push(this.#all());
    return terms.length === 1 ? terms[0] : { or: terms };
  }

  #all(): Filter {
    const factors = [this.#factor()];
    while (this.#takeWord("and")) factors.push(this.#factor());
    return factors.length === 1 ? factors[0] : { and: factors };
  }

  #factor(): Filter {
    if (this.#takeWord("not")) return this.#nested(() => ({ not: this.#factor() }));
    if (!this.#takeSign("(")) return this.#condition();
    return this.#nested(() => {
      const inner = this.#any();
      this.#need(")");
      return inner;
    });
  }

  #nested(read: () => Filter): Filter {
    if (++this.#depth > MOST_DEPTH)
      throw this.#error(this.#token.at, `is nested more than ${MOST_DEPTH} levels deep`);
    const filter = read();
    this.#depth--;
    return filter;
  }

  #condition(): Filter {
    const { at } = this.#token;
    const attribute = this.#name();
    const { isNegated = false, ...test } = this.#test(attribute);
    const condition: Condition = { attribute, ...test };
    places.set(condition, `${this.#place}, position ${at}`);
    return isNegated ? { not: condition } : condition;
  }

  #test(name: string): Omit<Condition, "attribute"> & { isNegated?: boolean } {
    const { kind, text } = this.#token;
    const test = kind === "sign" ? signs[text] : undefined;
    if (test !== undefined) {
      this.#next();
      const value = this.#value();
      return {
        [test]: typeof value === "boolean" && test !== "is" && test !== "isNot" ? String(value) : value,
      };
    }
    if (this.#takeWord("is")) {
      const missing = !this.#takeWord("not");
      if (!this.#takeWord("missing")) throw this.#unexpected("missing");
      return { missing };
    }
    const isNegated = this.#takeWord("not");
    if (!this.#takeWord("in"))
      throw isNegated
        ? this.#unexpected("in")
        : this.#unexpected(
            `=, !=, <, <=, >, >=, in or is missing after "${name}"`,
            kind === "word" ? QUOTE : undefined,
          );
    this.#need("(");
    const values = [this.#value()];
    while (this.#takeSign(",")) values.push(this.#value());
    this.#need(")");
    return { isOneOf: values, isNegated };
  }

  #name(): string {
    const { kind, text } = this.#token;
    if (kind === "quoted" || (kind === "word" && !keywords.has(text.toLowerCase()))) {
      this.#next();
      return text;
    }
    throw this.#unexpected("the name of an attribute", kind === "word" ? QUOTE : undefined);
  }

  #value(): FilterValue {
    const { kind, text } = this.#token;
    if (kind !== "quoted" && (kind !== "word" || keywords.has(text.toLowerCase())))
      throw this.#unexpected("a value", kind === "word" ? QUOTE : undefined);
    this.#next();
    if (kind === "quoted") return text;
    if (text === "true" || text === "false") return text === "true";
    return String(Number(text)) === text && Number.isFinite(Number(text)) ? Number(text) : text;
  }

  #takeWord(word: string): boolean {
    const { kind, text } = this.#token;
    if (kind !== "word" || text.toLowerCase() !== word) return false;
    this.#next();
    return true;
  }

  #takeSign(sign: string): boolean {
    if (this.#token.kind !== "sign" || this.#token.text !== sign) return false;
    this.#next();
    return true;
  }

  #need(sign: string): void {
    if (!this.#takeSign(sign)) throw this.#unexpected(sign === ")" ? `and, or, "," or ")"` : `"${sign}"`);
  }

  #next(): void {
    this.#token = this.#read();
  }

  #read(): Token {
    this.#end += this.#match(BLANK).length;
    const at = this.#end + 1;
    if (this.#end === this.#text.length) return { kind: "end", text: "", at };
    for (const [kind, pattern] of [
      ["sign", SIGN],
      ["quoted", QUOTED],
      ["word", WORD],
    ] as const) {
      const found = this.#match(pattern);
      if (found === "") continue;
      this.#end += found.length;
      if (kind !== "quoted") return { kind, text: found, at };
      const quote = found[0];
      return { kind, text: found.slice(1, -1).replaceAll(quote + quote, quote), at };
    }
    const character = this.#text[this.#end];
    throw `'"`.includes(character)
      ? this.#error(at, `the quote ${character} is not closed`, undefined, QUOTE)
      : this.#error(at, `unexpected ${character}`, undefined, QUOTE);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#end;
    return pattern.exec(this.#text)?.[0] ?? "";
  }

  #unexpected(expected: string, remedy?: string): UserError {
    const { kind, text, at } = this.#token;
    const shown = text.length > 40 ? `${text.slice(0, 40)}...` : text;
    return this.#error(
      at,
      kind === "end" ? "the filter ends early" : `unexpected "${shown}"`,
      expected,
      remedy,
    );
  }

  #error(at: number, problem: string, expected?: string, remedy?: string): UserError {
    return new UserError({ place: `${this.#place}, position ${at}`, problem, expected, remedy });
  }
}

const EXAMPLE = "a filter such as genre = Comedy and year >= 1990";
const QUOTE = "Put names and values with blanks, quotes or keywords in quotes, such as 'Sci Fi'";
