// The rows of a query as a table: they are streamed into DuckDB once, in bounded memory, as text that keeps every digit; numbers
// and times have the types that the database declares.

import { throwIfAborted, UserError } from "../../core/errors.js";
import { type Database, identifier } from "../database.js";
import { explainReadError } from "../tables/read-error.js";
import { type Copy, holds, ScratchTable } from "../tables/scratch-table.js";
import { type Expectations, numberInText, selected, type TableSource } from "../tables/table.js";
import { unfitForId } from "../tables/typed-columns.js";
import { CellFault, type Query, type QueryColumn, requireDistinct } from "./query.js";

/** Throws UserError if several columns have one name, or if there are no rows. */
export function queryTable<Value>(
  query: Query<Value>,
  database: Database,
  { progress, signal }: Pick<Expectations, "progress" | "signal">,
): TableSource {
  const { shown } = query;
  const names = query.columns.map(({ name }) => name);
  requireDistinct(shown, names);
  const columnOf = new Map(query.columns.map((column, place) => [column.name, { column, place }]));
  const typeOf = (name: string) => columnOf.get(name)?.column.type ?? "VARCHAR";
  const raw = (name: string) => identifier(`c${columnOf.get(name)?.place}`);
  const expression = (name: string) =>
    typeOf(name) === "VARCHAR" ? raw(name) : `CAST(${raw(name)} AS ${typeOf(name)})`;
  const place = (row: number) => `${shown}, row ${row + 1}`;

  const read = async (wanted: readonly string[], ids: readonly string[], into: Database): Promise<Copy> => {
    const picked = wanted.map((name) => columnOf.get(name) as { column: QueryColumn; place: number });
    for (const { column } of picked)
      if (column.unfit && ids.includes(column.name))
        throw unfitForId(shown, column.name, column.unfit.kind, column.unfit.type);
    const isId = wanted.map((name) => ids.includes(name));
    const task = `reading ${shown}`;
    progress?.({ type: "start", task, unit: "rows" });
    let row = 0;
    try {
      const scratch = await ScratchTable.write(
        into,
        picked.map(({ place }) => `c${place}`),
        async (table) => {
          for await (const block of query.rows()) {
            throwIfAborted(signal);
            for (const values of block) {
              for (let k = 0; k < picked.length; k++) {
                const { column, place: from } = picked[k];
                try {
                  table.text(query.text(values[from], column, isId[k]));
                } catch (fault) {
                  if (!(fault instanceof CellFault)) throw fault;
                  const { problem, expected } = fault;
                  throw new UserError({
                    place: place(row),
                    problem: `the column "${column.name}" ${problem}`,
                    expected,
                  });
                }
              }
              table.endRow(++row);
            }
            await table.flush();
            progress?.({ type: "advance", task, done: row });
          }
        },
      );
      if (row === 0) throw new UserError({ place: shown, problem: "the query has no rows" });
      return { database: into, columns: wanted, ids, from: scratch.from(), lines: scratch.lines };
    } finally {
      progress?.({ type: "end", task });
    }
  };

  let copy: Copy | undefined;
  return {
    file: shown,
    format: "query",
    columns: names,
    named: true,
    typeOf,
    expression,
    id: raw,
    number: (name) =>
      typeOf(name) === "VARCHAR" ? numberInText(raw(name)) : `TRY_CAST(${expression(name)} AS DOUBLE)`,
    from: async (selection, into = database) => {
      const wanted = selection === undefined ? names : selected(selection);
      const ids = selection?.ids ?? [];
      try {
        if (copy === undefined || !holds(copy, wanted, ids, into)) copy = await read(wanted, ids, into);
      } catch (error) {
        throw explainReadError(error, shown);
      }
      return copy.from;
    },
    place,
    sample: (name) =>
      query.head.flatMap((values) => {
        const { column, place } = columnOf.get(name) as { column: QueryColumn; place: number };
        try {
          return query.text(values[place], column, false) ?? [];
        } catch {
          return [];
        }
      }),
  };
}
