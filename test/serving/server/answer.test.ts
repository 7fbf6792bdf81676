import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Vocabulary } from "../../../src/data/vocabulary.js";
import { train } from "../../../src/experiments/train.js";
import { recommend } from "../../../src/recommender/recommend.js";
import type { Recommender } from "../../../src/recommender/recommender.js";
import { tastes } from "../../support/datasets.js";
import { longestTurn } from "../../support/longest-turn.js";
import { rawClient } from "../../support/raw-client.js";
import { served } from "../../support/served.js";

/** 2,000 items, of which two are called Hamlet. */
const SIZE = 2000;
const dataset = (() => {
  const small = tastes({ users: 60 });
  const ids = Array.from({ length: SIZE }, (_, item) => `item${item}`);
  const titles = ids.map((_, item) => `Film ${item} (${1950 + (item % 70)})`);
  titles[7] = "Hamlet (1948)";
  titles[10] = "Hamlet (1996)";
  const widened = <T extends { readonly columns: number }>(matrix: T): T => ({ ...matrix, columns: SIZE });
  const split = ({ users, foldIn, heldOut }: typeof small.test) => ({
    users,
    foldIn: widened(foldIn),
    heldOut: widened(heldOut),
  });
  return {
    ...small,
    items: new Vocabulary(ids, titles),
    train: widened(small.train),
    validation: split(small.validation),
    test: split(small.test),
  };
})();

let folder: string;
let run: string;
let fixture: Awaited<ReturnType<typeof served>>;
let model: Recommender;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldin-answers-"));
  run = join(folder, "run");
  const options = { hidden: [16], latent: 8, epochs: 1 };
  model = await train(dataset, { model: "mult-vae", options, out: run, engine: "reference" });
  fixture = await served({ models: [{ name: "main", folder: run, share: 1 }], limits: { perSecond: 0 } });
});
afterAll(async () => {
  await fixture.close();
  model.dispose();
  await rm(folder, { recursive: true });
});
const post = (url: string, body: object) => fixture.ask("POST", url, body);
const hamlets = [
  { id: "item7", title: "Hamlet (1948)" },
  { id: "item10", title: "Hamlet (1996)" },
];

describe("a title that several items have", () => {
  it("is refused with the ids to choose from if one item is expected", async () => {
    for (const [url, payload, field] of [
      ["/v1/recommendations", { history: ["item1", "hamlet"] }, "body.history.1"],
      ["/v1/recommendations", { histories: [["item1"], ["hamlet"]] }, "body.histories.1.0"],
      ["/v1/recommendations", { history: ["hamlet"], explain: true }, "body.history.0"],
      ["/v1/users/ann/events", { events: [{ item: "item1" }, { item: "hamlet" }] }, "body.events.1.item"],
    ] as const) {
      const { status, body } = await post(url, payload);
      expect(status).toBe(400);
      expect(body.errors[0].field).toBe(field);
      expect(body.detail).toMatch(/2 items are called "hamlet".*item7 \(Hamlet \(1948\)\), item10/);
      expect(body.ambiguous).toEqual([{ field, title: "hamlet", items: hamlets }]);
    }
    const similar = await fixture.ask("GET", "/v1/items/Hamlet/similar");
    expect([similar.status, similar.body.ambiguous[0].items]).toEqual([400, hamlets]);
    // Nothing of the events was stored.
    expect((await fixture.ask("GET", "/v1/users/ann/events")).body.events).toEqual([]);
  });

  it("means all of them in exclude and candidates", async () => {
    const ids = async (body: object) =>
      (await post("/v1/recommendations", { history: ["item1"], k: 1000, ...body })).body.results[0].items.map(
        ({ id }: { id: string }) => id,
      );
    const candidates = ["item3", "HAMLET"];
    expect((await ids({ candidates })).toSorted()).toEqual(["item10", "item3", "item7"]);
    expect(await ids({ candidates, exclude: ["Hamlet"] })).toEqual(["item3"]);
    expect(await ids({ candidates, exclude: ["Hamlet (1948)"] })).toHaveLength(2);
  });

  it("is reported if it is in a stored history", async () => {
    await fixture.store.add(
      "bob",
      [
        { item: "item1", at: 1 },
        { item: "Hamlet", at: 2 },
      ],
      100,
    );
    const { status, body } = await fixture.ask("GET", "/v1/users/bob/recommendations?k=3");
    expect(status).toBe(200);
    expect(body.unknown).toEqual([]);
    expect(body.ambiguous).toEqual([{ title: "Hamlet", items: hamlets }]);
    expect(body.history).toHaveLength(1);
  });
});

describe("a large answer", () => {
  it("equals the library's, item by item, although it is sent in pieces", async () => {
    const histories = Array.from({ length: 20 }, (_, h) => [`item${h}`, `item${h + 20}`, "unheard of"]);
    const exclude = ["item300", "Film 301 (1971)"];
    const { status, type, body } = await post("/v1/recommendations", { histories, exclude, k: 200 });
    expect([status, type]).toEqual([200, "application/json; charset=utf-8"]);
    expect(body.results).toHaveLength(20);
    for (const [h, { history, unknown, items }] of body.results.entries()) {
      const expected = await recommend(model, histories[h], { exclude: ["item300", "item301"], k: 200 });
      expect(unknown).toEqual(["unheard of"]);
      expect(history).toHaveLength(2);
      expect(items.map(({ id }: { id: string }) => id)).toEqual(expected.items.map(({ id }) => id));
      expect(items[5]).toMatchObject({ rank: 6, title: expected.items[5].title });
      expect(items[5].score).toBeCloseTo(expected.items[5].score, 4);
    }
  });

  it("with explanations, which are limited", async () => {
    const history = Array.from({ length: 100 }, (_, item) => `item${item}`);
    const { body } = await post("/v1/recommendations", { history, k: 50, explain: true });
    const expected = await recommend(model, history, { k: 50, explain: true });
    expect(body.results[0].items).toHaveLength(50);
    for (const [rank, { because }] of body.results[0].items.entries()) {
      const reasons = expected.items[rank].because ?? [];
      expect(because).toHaveLength(100);
      expect(because[0].influence).toBeCloseTo(reasons[0].influence, 4);
    }
    const refused = await post("/v1/recommendations", { history, k: 201, explain: true });
    expect(refused.status).toBe(400);
    expect(refused.body.errors).toEqual([
      {
        field: "body.explain",
        problem: "201 recommendations with 100 reasons each are 20100 reasons; the limit is 20000",
      },
    ]);
  });
});

describe("no request blocks the event loop", () => {
  const lists = (count: number, length: number, by = 1) =>
    Array.from({ length: count }, (_, h) =>
      Array.from({ length }, (_, k) => `item${(h * 31 + k * by) % SIZE}`),
    );
  const unknown = Array.from({ length: 10_000 }, (_, n) => `no such title, the ${n} (1999)`);
  it.each([
    ["unknown titles to exclude", { histories: lists(100, 10), exclude: unknown, k: 10 }],
    ["unknown titles to choose from", { histories: lists(100, 10), candidates: unknown, k: 10 }],
    ["unknown histories", { histories: Array(10).fill(unknown.slice(0, 1000)), k: 10 }],
    ["long lists", { histories: lists(100, 10), k: 1000 }],
    ["many candidates", { histories: lists(60, 10), candidates: lists(1, 2000)[0], k: 1000 }],
    ["reasons", { history: lists(1, 200)[0], k: 100, explain: true }],
  ])("for long: %s", { timeout: 60_000 }, async (_, body) => {
    await post("/v1/recommendations", body);
    const payload = JSON.stringify(body);
    const address = await listening();
    // Over the network: inject would gather the whole answer in this event loop.
    const request = `POST /v1/recommendations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(payload)}\r\n\r\n${payload}`;
    const turn = await longestTurn(async () => {
      const answer = await (await rawClient(address, request)).closed(50_000);
      expect(answer.slice(0, 15)).toBe("HTTP/1.1 200 OK");
    });
    expect(turn).toBeLessThan(50);
  });

  let address: string | undefined;
  async function listening(): Promise<string> {
    address ??= await fixture.server.listen(0);
    return address;
  }
});

describe("a request that takes too long", () => {
  it("is answered with 503 in time, and its work stops", { timeout: 30_000 }, async () => {
    const late = await served({
      models: [{ name: "main", folder: run, share: 1 }],
      limits: { answerTime: 1, perSecond: 0 },
    });
    try {
      const histories = Array(100).fill(["item1", "no such title"]);
      const { status, headers, body } = await late.ask("POST", "/v1/recommendations", { histories, k: 1000 });
      expect([status, headers["retry-after"]]).toEqual([503, "1"]);
      expect(body.detail).toMatch(/the request timed out/);
      await expect
        .poll(async () => (await late.ask("GET", "/metrics")).body, { timeout: 10_000 })
        .toContain('foldin_waiting_histories{model="main"} 0');
    } finally {
      await late.close();
    }
  });
});

describe("rejected requests", () => {
  it("count towards the client's rate limit: wrong tokens, hosts and paths", async () => {
    const token = "0123456789abcdef";
    for (const refused of [
      { url: "/v1/models", headers: { authorization: "Bearer wrong" } },
      { url: "/v1/models", headers: { authorization: `Bearer ${token}`, host: "evil.example" } },
      { url: "/v1/nothing", headers: { authorization: `Bearer ${token}` } },
      { url: "/v1/items/%FF/similar", headers: {} },
    ]) {
      const guarded = await served({ token, limits: { perSecond: 20 } });
      try {
        const statuses = new Map<number, number>();
        for (let n = 0; n < 60; n++) {
          const { status } = await guarded.ask("GET", refused.url, undefined, refused.headers);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
        expect(statuses.get(429), refused.url).toBeGreaterThan(0);
        expect((await guarded.ask("GET", "/health/live")).status).toBe(200);
      } finally {
        await guarded.close();
      }
    }
  });
});
