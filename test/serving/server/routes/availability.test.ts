// PUT /v1/items/availability: what is taken out is in no answer from the moment of the answer, also when models are replaced.

import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { attributed, served, trainRun } from "../../../support/served.js";

let fixture: Awaited<ReturnType<typeof served>>;
beforeAll(async () => {
  fixture = await served();
});
afterAll(() => fixture.close());

const URL = "/v1/items/availability";
const ids = (items: { id: string }[]) => items.map(({ id }) => id);
type Ask = (typeof fixture)["ask"];

/** The recommended ids of every route. */
async function everywhere(ask: Ask): Promise<string[][]> {
  await ask("POST", "/v1/users/u/events", { events: [{ item: "item1" }] });
  const histories = [["item1"], [], ["item2", "item3"]];
  const answers = [
    await ask("GET", "/v1/items/item1/similar?k=60"),
    await ask("GET", "/v1/users/u/recommendations?k=60"),
    await ask("GET", "/v1/users/u/recommendations?k=60&explain=true"),
    await ask("POST", "/v1/recommendations", { histories, k: 60 }),
    await ask("POST", "/v1/recommendations", { history: ["item1"], k: 60, includeHistory: true }),
    await ask("POST", "/v1/recommendations", { history: [], k: 60, candidates: ["item1", "item2", "item9"] }),
  ];
  for (const { status } of answers) expect(status).toBe(200);
  return answers.flatMap(({ body }) => (body.results ?? [body]).map((one: { items: [] }) => ids(one.items)));
}

describe("availability", () => {
  it("takes items out of every answer, and brings them back", async () => {
    const before = await everywhere(fixture.ask);
    const out = ["item1", "item9", "item10"];
    const { status, body } = await fixture.ask("PUT", URL, { takeOut: [...out, "later"] });
    expect(status).toBe(200);
    expect(body).toEqual({ unavailable: 4, unknown: ["later"], kept: false });
    expect(await everywhere(fixture.ask)).toEqual(
      before.map((answer) => answer.filter((id) => !out.includes(id))),
    );
    expect((await fixture.ask("GET", URL)).body).toEqual({
      unavailable: 4,
      items: [...out, "later"],
      kept: false,
    });
    await fixture.ask("PUT", URL, { bringBack: ["item9"], takeOut: ["item11"] });
    expect((await fixture.ask("GET", `${URL}?limit=2`)).body.items).toEqual(["item1", "item10"]);
    await fixture.ask("PUT", URL, { replace: [] });
    expect(await everywhere(fixture.ask)).toEqual(before);
  });

  it("gives k items where there are k", async () => {
    const { body } = await fixture.ask("POST", "/v1/recommendations", { history: ["item1"], k: 10 });
    const out = ids(body.results[0].items);
    await fixture.ask("PUT", URL, { takeOut: out });
    const again = await fixture.ask("POST", "/v1/recommendations", { history: ["item1"], k: 10 });
    expect(again.body.results[0].items).toHaveLength(10);
    expect(ids(again.body.results[0].items).filter((id) => out.includes(id))).toEqual([]);
    await fixture.ask("PUT", URL, { replace: [] });
  });

  it.each<[object, string, RegExp]>([
    [{}, "body.takeOut", /expected takeOut, bringBack or replace/],
    [{ replace: [], takeOut: ["a"] }, "body.replace", /expected either replace, or takeOut and bringBack/],
    [{ takeOut: ["a", "1"], bringBack: [1] }, "body.bringBack", /1 is also in takeOut/],
    [{ takeOut: [true] }, "body.takeOut.0", /expected an id/],
    [{ takeOut: "a" }, "body.takeOut", /expected a list/],
    [{ takeOut: Array(100_001).fill("a") }, "body.takeOut", /expected at most 100000/],
    [{ takeout: ["a"] }, "body.takeout", /takeout/],
  ])("%# is refused, naming the field", async (body, field, problem) => {
    const answer = await fixture.ask("PUT", URL, body);
    expect(answer.status).toBe(400);
    expect(answer.body.errors[0]).toEqual({ field, problem: expect.stringMatching(problem) });
  });

  it("needs the token, and cannot be changed without one where other machines reach the server", async () => {
    const guarded = await served({ token: "a-token-of-sixteen", host: "0.0.0.0" });
    expect((await guarded.ask("PUT", URL, { replace: [] })).status).toBe(401);
    const headers = { authorization: "Bearer a-token-of-sixteen" };
    expect((await guarded.ask("PUT", URL, { replace: [] }, headers)).status).toBe(200);
    await guarded.close();
    const open = await served({ host: "0.0.0.0" });
    const { status, body } = await open.ask("PUT", URL, { replace: [] });
    expect([status, body.detail]).toEqual([403, expect.stringMatching(/only with a token.*--token-file/)]);
    await open.close();
  });
});

describe("availability with a file", () => {
  it("is read, is written by requests, and stays over a restart and a reload of the model", async () => {
    const home = await mkdtemp(join(tmpdir(), "foldin-out-"));
    const file = join(home, "out.csv");
    writeFileSync(file, "id,why\nitem1,sold\nitem2,sold\n");
    const server = await served({ unavailable: file });
    expect((await everywhere(server.ask)).flat().filter((id) => /^item[12]$/.test(id))).toEqual([]);
    const { body } = await server.ask("PUT", URL, { takeOut: ["item3"], bringBack: ["item2"] });
    expect(body).toEqual({ unavailable: 2, unknown: [], kept: true });
    expect(readFileSync(file, "utf8")).toBe("item\nitem1\nitem3\n");
    const next = join(server.folder, "next");
    await trainRun(next, 2);
    await rename(server.run, join(server.folder, "before"));
    await rename(next, server.run);
    expect(await server.server.reload()).toHaveLength(1);
    expect((await everywhere(server.ask)).flat().filter((id) => /^item[13]$/.test(id))).toEqual([]);
    await server.close();
    const again = await served({ unavailable: file });
    expect((await everywhere(again.ask)).flat().filter((id) => /^item[13]$/.test(id))).toEqual([]);
    await again.close();
    await rm(home, { recursive: true });
  });

  it("that cannot be written changes nothing", async () => {
    const home = await mkdtemp(join(tmpdir(), "foldin-out-"));
    const file = join(home, "out.txt");
    writeFileSync(file, "item1\n");
    const server = await served({ unavailable: file });
    await rm(home, { recursive: true });
    const { status, body } = await server.ask("PUT", URL, { takeOut: ["item3"] });
    expect([status, body.detail]).toEqual([
      503,
      expect.stringMatching(/cannot be written; nothing was changed/),
    ]);
    expect((await server.ask("GET", URL)).body.items).toEqual(["item1"]);
    await server.close();
  });

  it("that changes is used; a bad one is logged once and the previous items stay out", async () => {
    const lines: { msg?: string; err?: { message: string } }[] = [];
    const home = await mkdtemp(join(tmpdir(), "foldin-out-"));
    const file = join(home, "out.txt");
    writeFileSync(file, "item1\n");
    const server = await served({
      unavailable: file,
      logger: { level: "info", stream: { write: (line: string) => void lines.push(JSON.parse(line)) } },
    });
    const out = async () => (await server.ask("GET", URL)).body.items;
    writeFileSync(file, "item2\nitem3\n");
    await server.server.reload();
    expect(await out()).toEqual(["item2", "item3"]);
    for (const [bad, message] of [
      ["", /the file is empty/],
      ["id,why\nitem4,sold\nite", /out\.txt:3: has 1 fields \(expected 2, as in line 1\)/],
      ["item4\n\u0000\n", /contains NUL bytes/],
    ] as const) {
      lines.length = 0;
      writeFileSync(file, bad);
      for (let look = 0; look < 3; look++) await server.server.reload();
      expect(await out()).toEqual(["item2", "item3"]);
      const told = lines.filter(({ msg }) => msg?.includes("is not used; the previous items stay out"));
      expect(told.map(({ err }) => err?.message)).toEqual([expect.stringMatching(message)]);
    }
    lines.length = 0;
    await rm(file);
    for (let look = 0; look < 3; look++) await server.server.reload();
    expect(lines.filter(({ msg }) => msg?.includes("is not used"))).toHaveLength(1);
    writeFileSync(file, "item\n");
    await server.server.reload();
    expect(await out()).toEqual([]);
    await server.close();
    await rm(home, { recursive: true });
  });
});

describe("rules under load", () => {
  it("hold for thousands of concurrent answers with changes and a hot reload in between", async () => {
    const server = await served({ limits: { perSecond: 0 } }, attributed());
    const next = join(server.folder, "next");
    await trainRun(next, 2, attributed());
    let answers = 0;
    const wrong: string[] = [];
    const versions = new Set<string>();
    /** Ids that are out, each with the number of the change that took it out. */
    const out = new Map<string, number>();
    const numberOf = (id: string) => Number(id.slice(4));
    const client = async (c: number) => {
      for (let r = 0; r < 100; r++) {
        const before = new Map(out);
        const isEven = (c + r) % 3 === 0;
        const filter = isEven
          ? { attribute: "kind", is: "even" }
          : { attribute: "number", atLeast: 10, below: 50 };
        const histories = [[`item${(c * 7 + r) % 60}`], [`item${(c + r * 5) % 60}`, `item${r % 60}`]];
        const payload = (c + r) % 4 === 3 ? { histories, k: 20 } : { histories, k: 20, filter };
        const { status, body } = await server.ask("POST", "/v1/recommendations", payload);
        if (status !== 200) wrong.push(`status ${status}: ${body.detail}`);
        versions.add(body.version);
        for (const { items } of body.results) {
          answers++;
          if (items.length < 10) wrong.push(`only ${items.length} items`);
          for (const id of ids(items)) {
            // Out before the request began, and not brought back since.
            if (before.has(id) && before.get(id) === out.get(id)) wrong.push(`${id} is out`);
            const n = numberOf(id);
            if ("filter" in payload && (isEven ? n % 2 !== 0 : n < 10 || n >= 50))
              wrong.push(`${id} is not admitted`);
          }
        }
      }
    };
    const operator = async () => {
      for (let change = 0; change < 60; change++) {
        const id = `item${(change * 13) % 60}`;
        if (change % 3 === 2) {
          const [first] = out.keys();
          out.delete(first);
          await server.ask("PUT", URL, { bringBack: [first] });
        } else {
          await server.ask("PUT", URL, { takeOut: [id] });
          out.set(id, out.get(id) ?? change);
        }
        if (out.size > 8) {
          out.clear();
          await server.ask("PUT", URL, { replace: [] });
        }
        if (change === 30) {
          await rename(server.run, join(server.folder, "before"));
          await rename(next, server.run);
          await server.server.reload();
        }
      }
    };
    await Promise.all([operator(), ...Array.from({ length: 16 }, (_, c) => client(c))]);
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(answers).toBe(3200);
    expect(versions.size).toBe(2);
    await server.close();
  });
});
