import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { withDatabase } from "../../src/data/database.js";
import { historiesOfFile } from "../../src/data/histories.js";
import type { Interaction } from "../../src/data/interactions.js";
import { buildDataset } from "../../src/data/prepare.js";
import { readInteractions } from "../../src/data/read.js";
import { Vocabulary } from "../../src/data/vocabulary.js";

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "foldin-test-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

let files = 0;
function file(content: string, ending = "csv"): string {
  const path = join(home, `${files++}.${ending}`);
  writeFileSync(path, content);
  return path;
}

const timesIn = async (...paths: string[]) => [...((await readInteractions(paths, {})).timeOf ?? [])];
const timesOf = (texts: readonly string[]) =>
  timesIn(file(`user,item,time\n${texts.map((text, row) => `${row},1,"${text}"\n`).join("")}`));

describe("a time in text", () => {
  const noon = Date.UTC(2024, 2, 10, 12) / 1000;
  // 2024-03-10T12:00:00Z in the notations of ISO 8601 and its neighbours.
  const atNoon = [
    "2024-03-10T21:00:00+09:00",
    "2024-03-10T21:00:00+0900",
    "2024-03-10T21:00:00+09",
    "2024-03-10 21:00:00+09:00",
    "2024-03-10 21:00:00 +09:00",
    "2024-03-10T21:00+09:00",
    "2024-03-10T07:00:00-05:00",
    "2024-03-10T06:30:00-0530",
    "2024-03-10T12:00:00Z",
    "2024-03-10t12:00:00z",
    "2024-03-10 12:00:00 UTC",
    "2024-03-10 12:00:00 GMT",
    "2024-03-10 12:00:00",
    "2024-03-10T12:00",
    "2024-3-10 12:00",
    "2024/03/10 12:00:00",
    "20240310T120000Z",
    "20240310T210000+0900",
    "2024-03-10 13:00:00 Europe/Berlin",
    " 2024-03-10T12:00:00Z ",
    "1710072000",
    "1710072000.0",
    "1.710072e9",
  ];
  const others: [string, number][] = [
    ["2024-03-10T12:00:00.25Z", noon + 0.25],
    ["2024-03-10T12:00:00,25+00:00", noon + 0.25],
    ["2024-03-10", noon - 43_200],
    ["1969-12-31T23:59:59Z", -1],
    ["0001-01-01", -62_135_596_800],
    ["9999-12-31T23:59:59Z", 253_402_300_799],
    // A leap second is the first of the next day in POSIX time.
    ["2016-12-31T23:59:60Z", 1_483_228_800],
    ["-86400", -86_400],
    ["0", 0],
  ];
  it("is read in every unambiguous notation, with its offset, or in UTC without an offset", async () => {
    const expected = [...atNoon.map((text): [string, number] => [text, noon]), ...others];
    const read = await timesOf(expected.map(([text]) => text));
    expect(expected.map(([text], row) => [text, read[row]])).toEqual(expected);
  });

  it.each([
    ...[
      "09 13, 2009",
      "13.09.2009",
      "07/18/2018",
      "18.07.2018 22:10",
      "10/11/12",
      "24-03-10",
      "Mar 10, 2024",
    ],
    ...["2024-03-10 06:00:00 PM", "2024-02-30", "2024-13-01", "2024-03-10T25:00:00", "2024-03", "2024-W10-7"],
    ...[
      "N/A",
      "NULL",
      "NaN",
      "inf",
      "-Infinity",
      "epoch",
      "today",
      "now",
      "\\N",
      "None",
      "0x10",
      "2024-03-10T12",
    ],
  ])("%s is refused with file, line and value", async (text) => {
    const path = file(`user,item,time\n1,1,1700000000\n1,2,"${text}"\n1,3,1700000001\n`);
    const failing = readInteractions([path], {});
    await expect(failing).rejects.toThrow(UserError);
    await expect(failing).rejects.toThrow(
      `${path}:3: ${JSON.stringify(text).replaceAll("\\\\", "\\")} in the column "time" is not a time`,
    );
    await expect(failing).rejects.toThrow(/--no-time/);
  });

  it("agrees with JavaScript's parser for any offset", async () => {
    const instant = fc.tuple(
      fc.integer({ min: -2_000_000_000, max: 4_000_000_000 }),
      fc.integer({ min: -14 * 4, max: 14 * 4 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(instant, { minLength: 1, maxLength: 40 }), async (instants) => {
        const texts = instants.map(([seconds, quarters]) => {
          const local = new Date((seconds + quarters * 900) * 1000).toISOString().slice(0, 19);
          const minutes = Math.abs(quarters) * 15;
          const two = (value: number) => String(value).padStart(2, "0");
          return `${local}${quarters < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
        });
        expect(await timesOf(texts)).toEqual(texts.map((text) => Date.parse(text) / 1000));
      }),
      { numRuns: 15 },
    );
  });

  it("in JSON lines and in the second of two files is refused by its own line", async () => {
    const [good, bad] = ["2024-03-10", "10.03.2024"].map((time) =>
      file(
        `{"user": 1, "item": 1, "time": "2024-03-09"}\n{"user": 1, "item": 2, "time": "${time}"}\n`,
        "jsonl",
      ),
    );
    await expect(timesIn(good, bad)).rejects.toThrow(`${bad}:2: "10.03.2024" in the column "time"`);
  });
});

describe("a time that is missing", () => {
  const rows = (time: (row: number) => string) =>
    file(
      `user,item,time\n${Array.from({ length: 400 }, (_, k) => `${k % 40},${(Math.floor(k / 40) * 7 + k) % 25},${time(k)}\n`).join("")}`,
    );

  it("is counted, and rejected with the first place by protocols that need it", async () => {
    const path = rows((row) => (row % 100 === 50 ? "" : String(1_700_000_000 + row)));
    const { manifest } = await buildDataset({ input: path });
    expect(manifest?.times).toEqual({
      unit: "seconds",
      from: 1_700_000_000,
      to: 1_700_000_399,
      missing: 4,
    });
    for (const protocol of ["temporal", "leave-last-out"] as const)
      await expect(buildDataset({ input: path, options: { protocol } })).rejects.toThrow(
        `${path}:52: 4 of 400 interactions have no time; this is the first of them`,
      );
  });

  it("in every row means that the source has no times", async () => {
    const { manifest } = await buildDataset({ input: rows(() => "") });
    expect(manifest?.columns.time).toBe(false);
    expect(manifest?.times).toBeUndefined();
  });
});

describe("Parquet's types of time", () => {
  const write = async (name: string, expression: string) => {
    const path = join(home, `${name}.parquet`);
    await withDatabase(async (database) => {
      await database.run("SET TimeZone = 'America/Los_Angeles'");
      await database.copy(`SELECT 1 AS "user", 2 AS item, ${expression} AS "time"`, path);
    });
    return path;
  };
  const instant = "'2024-03-10T18:00:00+09:00'";
  it.each<[string, string, number]>([
    ["TIMESTAMPTZ", `${instant}::TIMESTAMPTZ`, 1_710_061_200],
    ["TIMESTAMP", "'2024-03-10T09:00:00'::TIMESTAMP", 1_710_061_200],
    ["TIMESTAMP_S", "'2024-03-10T09:00:00'::TIMESTAMP_S", 1_710_061_200],
    ["TIMESTAMP_MS", "'2024-03-10T09:00:00.5'::TIMESTAMP_MS", 1_710_061_200.5],
    ["TIMESTAMP_NS", "'2024-03-10T09:00:00.5'::TIMESTAMP_NS", 1_710_061_200.5],
    ["DATE", "'2024-03-10'::DATE", 1_710_028_800],
    ["VARCHAR", instant, 1_710_061_200],
    ["BIGINT", "1710061200", 1_710_061_200],
    ["DECIMAL", "1710061200.5::DECIMAL(18,1)", 1_710_061_200.5],
  ])("%s", async (name, expression, seconds) => {
    const path = await write(name, expression);
    const zone = process.env.TZ;
    try {
      for (const TZ of ["America/Los_Angeles", "Asia/Tokyo", "UTC"]) {
        process.env.TZ = TZ;
        expect(await timesIn(path)).toEqual([seconds]);
      }
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
  });

  it.each(["TIME '10:00:00'", "'infinity'::TIMESTAMP", "'inf'::DOUBLE", "true"])(
    "%s is refused",
    async (expression) => {
      const path = await write(`refused-${files++}`, expression);
      await expect(timesIn(path)).rejects.toThrow(/in the column "time" is not a time/);
    },
  );

  it("null and NaN are missing", async () => {
    for (const expression of ["NULL::TIMESTAMP", "'nan'::DOUBLE", "NULL::VARCHAR"]) {
      const path = await write(`missing-${files++}`, expression);
      expect((await readInteractions([path], {})).timeOf).toBeUndefined();
    }
  });
});

describe("the unit of times", () => {
  const interactions = (time: (row: number) => Interaction["time"]): Interaction[] =>
    Array.from({ length: 400 }, (_, k) => ({
      user: k % 40,
      item: (Math.floor(k / 40) * 7 + k) % 25,
      time: time(k),
    }));
  const notes = async (input: Interaction[] | string[]) => {
    const texts: string[] = [];
    const { manifest } = await buildDataset({
      input,
      progress: (event) => event.type === "note" && texts.push(event.text),
    });
    return { unit: manifest?.times?.unit, warning: texts.find((text) => /units/.test(text)) };
  };

  it.each<[string, number]>([
    ["seconds", 1],
    ["milliseconds", 1e3],
    ["microseconds", 1e6],
    ["nanoseconds", 1e9],
  ])("%s since 1970 are recognised, and dates are compared in them", async (unit, factor) => {
    const input = interactions((row) => (1_700_000_000 + row) * factor);
    expect(await notes(input)).toEqual({ unit, warning: undefined });
    const { manifest } = await buildDataset({
      input,
      options: {
        protocol: "temporal",
        validationFrom: "2023-11-14T22:18:00",
        testFrom: "2023-11-14T22:19:00Z",
      },
    });
    // 22:18:00 is 1,700,000,280.
    expect(manifest?.counts).toMatchObject({
      interactions: 280,
      validation: { heldOut: 60 },
      test: { heldOut: 60 },
    });
  });

  it("small numbers are in the source's own unit, and cannot be compared with a date", async () => {
    const input = interactions((row) => 20_240_000 + row);
    expect(await notes(input)).toEqual({ unit: "own", warning: undefined });
    const options = { protocol: "temporal", validationFrom: "2024-03-01", testFrom: "2024-03-05" } as const;
    await expect(buildDataset({ input, options })).rejects.toThrow(
      /option testFrom: 2024-03-05 is a date, but the times are numbers from 20240000 to 20240399/,
    );
  });

  it("seconds among milliseconds cause a warning", async () => {
    const { unit, warning } = await notes(interactions((row) => (row < 100 ? 1.7e9 : 1.7e12) + row));
    expect(unit).toBe("milliseconds");
    expect(warning).toMatch(/100 look like seconds, 300 look like milliseconds since 1970/);
  });

  it("dates are seconds, however far away", async () => {
    const date = (row: number) => new Date(row === 7 ? Date.UTC(9999, 11, 31) : Date.UTC(1950, 0, 1 + row));
    expect(await notes(interactions(date))).toEqual({ unit: "seconds", warning: undefined });
    const rows = interactions(date).map(
      ({ user, item, time }) => `${user},${item},${(time as Date).toISOString()}`,
    );
    const path = file(`user,item,time\n${rows.join("\n")}\n`);
    expect(await notes([path])).toEqual({ unit: "seconds", warning: undefined });
    const options = { protocol: "temporal", validationFrom: "1951-01-01", testFrom: "1951-01-11" } as const;
    const { manifest } = await buildDataset({ input: path, options });
    expect(manifest?.counts.validation.heldOut).toBe(10);
  });
});

it("histories are read even if times and ratings are not valid", async () => {
  const path = file("user,item,rating,date\n1,a,good,18.07.2018\n1,b,,N/A\n");
  const { matrix } = await historiesOfFile({ path }, new Vocabulary(["a", "b"]));
  expect([...matrix.indices]).toEqual([0, 1]);
});
