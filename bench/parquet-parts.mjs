// Writes interactions as Spark does: a folder with partitions day=.../part-*.snappy.parquet and _SUCCESS. Users and items follow
// power laws; a hundred million rows by default, 0.9 GB.
//
//   node bench/parquet-parts.mjs <folder> [rows] [--text]      (--text: ids are text such as "u123")

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";

const [folder, rows = "100000000", kind] = process.argv.slice(2);
const days = 25;
const id = (expression, letter) =>
  kind === "--text" ? `concat('${letter}', ${expression})` : `${expression}::BIGINT`;
const instance = await DuckDBInstance.create(":memory:", { memory_limit: "1GB" });
const connection = await instance.connect();
const uniform = (salt) => `(hash(8 * n + ${salt}) / 18446744073709551615.0)`;
for (let day = 0; day < days; day++) {
  const name = `day=2024-01-${String(day + 1).padStart(2, "0")}`;
  mkdirSync(join(folder, name), { recursive: true });
  const [from, to] = [day, day + 1].map((place) => Math.round((place * Number(rows)) / days));
  for (const [part, begin, end] of [
    [0, from, Math.round((from + to) / 2)],
    [1, Math.round((from + to) / 2), to],
  ])
    await connection.run(
      `COPY (SELECT ${id(`floor(5e6 * ${uniform(1)} ** 1.5)::BIGINT`, "u")} AS user_id,
                    ${id(`floor(5e5 * ${uniform(2)} ** 3)::BIGINT`, "i")} AS item_id,
                    (1 + hash(8 * n + 3) % 5)::FLOAT AS rating
             FROM range(${begin}, ${end}) AS r(n))
       TO '${join(folder, name, `part-0000${part}-4d1f.c000.snappy.parquet`)}' (FORMAT parquet, CODEC snappy)`,
    );
}
writeFileSync(join(folder, "_SUCCESS"), "");
connection.closeSync();
