// Finds the columns of a file that hold user, item, rating and time: by name if there is a header, otherwise by position and
// values. The decision is reported in one line per file.

import { UserError } from "../core/errors.js";
import { type Database, literal } from "./database.js";
import {
  type FileOptions,
  openTable,
  plainName,
  type QueryOptions,
  type TableSource,
} from "./table-source.js";
import type { Expectations } from "./tables/table.js";
import { isEpoch, looksLikeDate } from "./times.js";

/** The names of the columns. Those that are not given are found by their usual names. */
export interface ReadOptions extends FileOptions, QueryOptions {
  user?: string;
  item?: string;
  /** `false`: the file has no ratings, or they are ignored. */
  rating?: string | false;
  time?: string | false;
}

/** The usual names of the columns, best first; case, spaces and punctuation do not matter. (docs/datasets.md has the list.) */
export const usualNames = {
  user: names(`user userid uid reviewerid customerid custid memberid visitorid sessionid username users accountid
    profileid authorid viewerid listenerid playerid readerid clientid personid reviewprofilename usersha1`),
  item: names(`item itemid iid movieid movie sid asin parentasin productid product bookid isbn songid song trackid track
    artistid artist articleid article businessid gameid appid animeid newsid items videoid filmid showid recipeid beerid
    beerbeerid gmapid placeid venueid hotelid courseid jokeid postid stockcode sku skuid`),
  rating:
    names(`rating ratings score stars overall value playcount plays count bookrating userrating reviewrating
    reviewscore reviewoverall starrating userscore weight listencount watchratio`),
  time: names(`timestamp time datetime date unixreviewtime unixtime ts createdat reviewtime reviewdate eventtime
    eventtimestamp ratedat ratingtimestamp playedat dateadded timestampms tdat invoicedate at`),
} as const;

function names(text: string): readonly string[] {
  return text.split(/\s+/);
}

type Role = keyof typeof usualNames;
const roles = ["user", "item", "rating", "time"] as const satisfies readonly Role[];

/** The CLI options that name the columns. */
const flags: Record<Role, string> = { user: "--user", item: "--item", rating: "--rating", time: "--time" };

const knownNames: ReadonlySet<string> = new Set(roles.flatMap((role) => usualNames[role]));

/** A file and its columns of interest. */
export interface Input {
  readonly source: TableSource;
  readonly user: string;
  readonly item: string;
  readonly rating: string | undefined;
  readonly time: string | undefined;
  /** Set for a file without a header; `like` is the file whose header names its columns, if any. */
  readonly headerless?: { readonly like?: string };
}

/**
 * Opens files of interactions and finds their columns. Throws UserError if a column is missing or the files do not match
 * each other.
 */
export async function openInputs(
  files: readonly string[],
  database: Database,
  columns: ReadOptions,
  minRating: number | undefined,
  listening: Pick<Expectations, "progress" | "signal">,
): Promise<Input[]> {
  const given = roles.map((role) => columns[role]).filter((name) => typeof name === "string");
  const known = {
    knownNames: new Set([...knownNames, ...given.map(plainName)]),
    positions: [],
    databases: true,
    ...listening,
  };
  const open = (file: string, options: ReadOptions) => openTable(file, database, options, known);
  const sources: TableSource[] = [];
  for (const file of files) sources.push(await open(file, columns));
  if (columns.columns && columns.header === undefined) for (const source of sources) refuseHeader(source);
  const headed = sources.find(({ text }) => text?.header);
  const inputs: Input[] = [];
  for (const source of sources) {
    if (source.named) inputs.push(findColumns(source, columns, minRating));
    else {
      const named = headed ? headerFor(source, headed) : namesByPlace(source, columns);
      const reopened = await open(source.file, { ...columns, header: false, columns: named });
      inputs.push({ ...findColumns(reopened, columns, minRating), headerless: { like: headed?.file } });
    }
  }
  for (const role of ["rating", "time"] as const) refuseGaps(role, inputs);
  return inputs;
}

/** Throws UserError if the caller names the columns and the first line is a header too. */
function refuseHeader(source: TableSource): void {
  if (source.text?.header !== false) return;
  const samples = source.columns.map((column) => source.sample(column));
  const first = samples.map(([value = ""]) => value);
  if (first.some(isNumber)) return;
  const known = first.filter((value) => knownNames.has(plainName(value))).length;
  const numbersFollow = samples.some(([, ...others]) => others.length > 0 && others.every(isNumber));
  if (known < 2 && !numbersFollow) return;
  throw new UserError({
    place: `${source.file}:1`,
    problem: `the first line looks like a header (${first.join(", ")}), and --columns names the columns too`,
    remedy: "Omit --columns, or add --no-header if this line is a row",
  });
}

const isNumber = (text: string): boolean => text.trim() !== "" && Number.isFinite(Number(text));

function findColumns(source: TableSource, columns: ReadOptions, minRating: number | undefined): Input {
  const find = (role: Role, needed: boolean): string | undefined => {
    const given = columns[role];
    if (given === false) return undefined;
    const wanted: readonly string[] = given === undefined ? usualNames[role] : [given];
    for (const name of wanted) {
      const found =
        source.columns.find((column) => column === name) ??
        source.columns.find((column) => plainName(column) === plainName(name));
      if (found !== undefined) return found;
    }
    if (!needed && given === undefined) return undefined;
    throw new UserError({
      place: source.file,
      problem: given === undefined ? `no ${role} column found` : `there is no column "${given}"`,
      expected: `one of the ${source.format === "query" ? "query" : "file"}'s columns: ${source.columns.join(", ")}`,
      remedy: `Name it with ${flags[role]}${source.text?.header ? "; or add --no-header if the first line is a row" : ""}`,
    });
  };
  return {
    source,
    user: find("user", true) as string,
    item: find("item", true) as string,
    rating: find("rating", minRating !== undefined),
    time: find("time", false),
  };
}

/** The column names of another file, for a file without a header that continues it. */
function headerFor(source: TableSource, headed: TableSource): readonly string[] {
  if (source.columns.length === headed.columns.length) return headed.columns;
  throw new UserError({
    place: `${source.file}:1`,
    problem: `the file has no header and ${source.columns.length} columns`,
    expected: `a header, or the ${headed.columns.length} columns of ${headed.file}: ${headed.columns.join(", ")}`,
    remedy: "Add a header to the file, or prepare the files separately",
  });
}

/** Throws UserError if some files have a rating (or a time) and others do not. */
function refuseGaps(role: "rating" | "time", inputs: readonly Input[]): void {
  const having = inputs.find((input) => input[role] !== undefined);
  const lacking = inputs.find((input) => input[role] === undefined);
  if (!having || !lacking) return;
  throw new UserError({
    place: lacking.source.file,
    problem: `no ${role} column found, but ${having.source.file} has "${having[role]}"`,
    expected: `one of the file's columns: ${lacking.source.columns.join(", ")}`,
    remedy: `Name it with ${flags[role]}, or ignore this column in all files with --no-${role}`,
  });
}

type Kind = "date" | "epoch" | "number" | "text";

function kindOf(values: readonly string[]): Kind {
  const filled = values.filter((value) => value.trim() !== "");
  const half = filled.length / 2;
  // A decimal comma is possible only if commas do not separate the columns.
  const numbers = filled.map((value) => Number(value.replace(",", "."))).filter(Number.isFinite);
  if (filled.length > 0 && numbers.length >= half) return numbers.every(isEpoch) ? "epoch" : "number";
  return filled.length > 0 && filled.filter(looksLikeDate).length >= half ? "date" : "text";
}

/**
 * Names for the columns of a file without a header. The first two columns that are not dates are user and item. With three or
 * four columns the order is user, item, rating, time; swapped ratings and times are detected. With more columns, the time is
 * the only column that looks like one, and the third column is the rating only if it precedes the time.
 */
function namesByPlace(source: TableSource, columns: ReadOptions): string[] {
  const { columns: places } = source;
  const named = new Set<string>(
    roles.flatMap((role) => places.filter((place) => plainName(place) === plainName(columns[role] || ""))),
  );
  const kinds = new Map(places.map((place) => [place, kindOf(source.sample(place))]));
  const roleOf = new Map<string, Role>();
  const assign = (role: Role, place: string | undefined) => {
    if (place !== undefined && columns[role] === undefined) roleOf.set(place, role);
  };
  const free = places.filter((place) => !named.has(place));
  const ids = free.filter((place) => kinds.get(place) !== "date");
  for (const role of ["user", "item"] as const) if (columns[role] === undefined) assign(role, ids.shift());
  const rest = free.filter((place) => !roleOf.has(place));
  const [third, fourth] = rest;
  const is = (place: string | undefined, ...wanted: Kind[]) =>
    place !== undefined && wanted.includes(kinds.get(place) as Kind);
  const times = rest.filter((place) => is(place, "date", "epoch"));
  if (rest.length > 2) {
    if (is(third, "number") && is(fourth, "date", "epoch")) {
      assign("rating", third);
      assign("time", fourth);
    } else if (times.length === 1) assign("time", times[0]);
  } else if (is(third, "date", "epoch")) {
    assign("time", is(fourth, "date", "epoch") ? fourth : third);
    if (is(fourth, "number")) assign("rating", fourth);
  } else {
    if (is(third, "number")) assign("rating", third);
    if (is(fourth, "date", "epoch") || (is(third, "number") && is(fourth, "number"))) assign("time", fourth);
  }
  return places.map((place) => roleOf.get(place) ?? place);
}

/** Describes which columns are used: one line for all files with the same columns. */
export function describeColumns(inputs: readonly Input[], columns: ReadOptions): string[] {
  const filesOf = new Map<string, string[]>();
  for (const input of inputs) {
    const text = describeInput(input, columns);
    filesOf.set(text, [...(filesOf.get(text) ?? []), input.source.file]);
  }
  return [...filesOf].map(([text, files]) => {
    const more = files.length > 3 ? ` and ${files.length - 2} more` : "";
    return `${files.slice(0, more ? 2 : 3).join(", ")}${more}: ${text}`;
  });
}

function describeInput(input: Input, columns: ReadOptions): string {
  const { source, headerless } = input;
  const place = (column: string) => `column ${source.columns.indexOf(column) + 1}`;
  const show = headerless ? place : (column: string) => JSON.stringify(column);
  const found = roles.flatMap((role) => {
    const column = input[role];
    return column === undefined ? [] : [`${role} = ${show(column)}`];
  });
  const absent = (["rating", "time"] as const).filter(
    (role) => input[role] === undefined && columns[role] !== false,
  );
  const unused = source.columns.filter((column) => !roles.some((role) => input[role] === column));
  return [
    ...(headerless ? [headerless.like ? `no header, columns as in ${headerless.like}` : "no header"] : []),
    found.join(", "),
    ...(absent.length > 0 ? [`no ${absent.join(", no ")}`] : []),
    ...(headerless && unused.length > 0
      ? [`not used: ${unused.map(place).join(", ")} (name columns with --columns)`]
      : []),
  ].join("; ");
}

/**
 * An SQL expression that recognises headers among the rows, as in files concatenated with cat: 1 = a repetition of the first
 * line (in a file without a header: the usual names of user and item), 2 = another header, 0 = a row.
 */
export function headerAmongRows({ source, user, item }: Input): string {
  if (source.text === undefined) return "0";
  const { header } = source.text;
  const among = (column: string, names: readonly string[]) =>
    `lower(trim(${source.expression(column)})) IN (${names.flatMap(spellings).map(literal).join(", ")})`;
  const usual = [...usualNames.user, ...usualNames.item];
  const any = header ? source.columns.filter((name) => knownNames.has(plainName(name))) : usual;
  const [users, items] = header ? [[user], [item]] : [usualNames.user, usualNames.item];
  // For nearly every row the user alone decides.
  return (
    `CASE WHEN NOT (${among(user, [...any, ...users])}) THEN 0 WHEN ${among(user, users)} AND ${among(item, items)} THEN 1 ` +
    `WHEN ${among(user, [...any, user])} AND ${among(item, [...any, item])} THEN 2 ELSE 0 END`
  );
}

/** The spellings of a name in a header, in lower case: with separators between its words, or after a byte order mark. */
function spellings(name: string): string[] {
  const lower = name.toLowerCase();
  const words = /^(\p{L}+)(id|name)$/u.exec(lower);
  const forms = words ? ["", "_", "-", " "].map((between) => words[1] + between + words[2]) : [lower];
  return forms.flatMap((form) => [form, `\ufeff${form}`]);
}
