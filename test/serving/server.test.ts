import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openEngine } from "../../src/compute/open-engine.js";
import { type RecommendOptions, recommend } from "../../src/recommender/recommend.js";
import { similarItems } from "../../src/recommender/similar.js";
import { sameToken } from "../../src/serving/server/guards.js";
import { attributed, served, trainRun } from "../support/served.js";

let fixture: Awaited<ReturnType<typeof served>>;
const ask: (typeof fixture)["ask"] = (...call) => fixture.ask(...call);
beforeAll(async () => {
  fixture = await served();
});
afterAll(() => fixture.close());

/** What the library says, as the server shows it. */
async function expected(history: string[], options: RecommendOptions = {}) {
  const answer = await recommend(fixture.recommender, history, options);
  const bare = ({ id, title }: { id: string; title: string }) => ({ id, title });
  return {
    history: answer.history.map(bare),
    unknown: answer.unknown,
    items: answer.items.map(({ rank, score, because, ...item }) => ({
      rank,
      ...bare(item),
      score,
      ...(because && { because: because.map((of) => ({ ...bare(of), influence: of.influence })) }),
    })),
  };
}

describe("POST /v1/recommendations", () => {
  it("answers as the library does, for one history or for many", async () => {
    const options = { k: 4, exclude: ["item9"] };
    const { status, body } = await ask("POST", "/v1/recommendations", {
      histories: [["item1", "item5"], [], ["item7"]],
      ...options,
    });
    expect(status).toBe(200);
    expect(body.model).toBe("main");
    expect(body.results).toEqual([
      await expected(["item1", "item5"], options),
      await expected([], options),
      await expected(["item7"], options),
    ]);
  });

  it("accepts titles, candidates and explain", async () => {
    const { body } = await ask("POST", "/v1/recommendations", {
      history: ["title of ITEM1", "item5"],
      candidates: ["item2", "Title of item8", "item1"],
      explain: true,
    });
    expect(body.results).toEqual([
      await expected(["item1", "item5"], { candidates: ["item2", "item8"], explain: true }),
    ]);
    expect(body.results[0].items[0].because).toHaveLength(2);
  });

  it("applies rules as the library does", async () => {
    const rules = { diversity: 0.5, novelty: 0.2, k: 5 };
    const ids = (items: { id: string }[]) => items.map(({ id }) => id);
    const { body } = await ask("POST", "/v1/recommendations", { history: ["item3", "item7"], ...rules });
    const ruled = ids((await expected(["item3", "item7"], rules)).items);
    expect(ids(body.results[0].items)).toEqual(ruled);
    expect(ruled).not.toEqual(ids((await expected(["item3", "item7"], { k: 5 })).items));
  });

  it("reports unknown items and still answers", async () => {
    const { status, body } = await ask("POST", "/v1/recommendations", { history: ["nobody"], k: 3 });
    expect(status).toBe(200);
    expect(body.results[0].unknown).toEqual(["nobody"]);
    expect(body.results[0].items).toEqual((await expected([], { k: 3 })).items);
  });

  it("answers concurrent requests like single ones", async () => {
    const histories = Array.from({ length: 80 }, (_, i) => [`item${i % 60}`, `item${(i * 7) % 60}`]);
    const answers = await Promise.all(
      histories.map((history) => ask("POST", "/v1/recommendations", { history, k: 5 })),
    );
    for (const [i, { body }] of answers.entries()) {
      const alone = await expected(histories[i], { k: 5 });
      const ids = (items: { id: string }[]) => items.map(({ id }) => id);
      expect(ids(body.results[0].items)).toEqual(ids(alone.items));
      for (const [rank, { score }] of alone.items.entries())
        expect(body.results[0].items[rank].score).toBeCloseTo(score, 4);
    }
    const { body } = await ask("GET", "/metrics");
    expect(body).toMatch(/foldin_batch_histories_bucket\{le="64",model="main"\} [1-9]/);
    // 80 histories did not take 80 passes.
    const batches = Number(/foldin_batch_histories_count\{model="main"\} (\d+)/.exec(body)?.[1]);
    const scored = Number(/foldin_batch_histories_sum\{model="main"\} (\d+)/.exec(body)?.[1]);
    expect(scored - batches).toBeGreaterThan(40);
  });
});

describe("rules on attributes", () => {
  let server: Awaited<ReturnType<typeof served>>;
  beforeAll(async () => {
    server = await served({}, attributed());
  });
  afterAll(() => server.close());

  it("are those of the library", async () => {
    const rules = {
      k: 6,
      atMost: { tags: 2 },
      boost: [{ where: { attribute: "kind", is: "odd" }, by: 0.5 }],
      filter: { attribute: "number", below: 40 },
    };
    const { body } = await server.ask("POST", "/v1/recommendations", { history: ["item3"], ...rules });
    const { items } = await recommend(server.recommender, ["item3"], rules);
    const ids = (list: { id: string }[]) => list.map(({ id }) => id);
    expect(ids(body.results[0].items)).toEqual(ids(items));
    const { items: plain } = await recommend(server.recommender, ["item3"], { k: 6 });
    expect(ids(items)).not.toEqual(ids(plain));
  });

  it.each([
    [{ atMost: { tgas: 1 } }, "body.atMost", /no attribute "tgas".*Did you mean "tags"/],
    [{ atMost: { tags: 0 } }, "body.atMost.tags", /./],
    [{ boost: [{ where: { attribute: "knd", is: "odd" }, by: 0.1 }] }, "body.boost.0.where", /knd/],
    [{ boost: [{ where: { attribute: "kind" }, by: 0.1 }] }, "body.boost.0.where", /has no condition/],
    [{ boost: [{ where: { attribute: "kind", is: "odd" }, by: 2 }] }, "body.boost.0.by", /./],
  ])("%j names %s", async (rules, field, problem) => {
    const { status, body } = await server.ask("POST", "/v1/recommendations", { history: [], ...rules });
    expect(status).toBe(400);
    expect(body.errors[0].field).toBe(field);
    expect(body.errors[0].problem).toMatch(problem);
  });
});

describe("bad requests", () => {
  it.each([
    [{ history: "item1" }, "body.history"],
    [{ history: [{}] }, "body.history.0"],
    [{ history: ["item1"], k: 0 }, "body.k"],
    [{ history: ["item1"], k: 1e9 }, "body.k"],
    [{ history: ["item1"], kk: 3 }, "body.kk"],
    [{ history: ["item1"], histories: [] }, "body.histories"],
    [{}, "body.history"],
    [{ histories: [["item1"], ["a\u0000b"]] }, "body.histories.1.0"],
    [{ history: Array(1001).fill("item1") }, "body.history"],
    [{ histories: [[], []], explain: true }, "body.explain"],
    [{ history: [], model: "other" }, "model"],
    [{ history: [], diversity: 1.5 }, "body.diversity"],
    [{ history: [], novelty: "0.5" }, "body.novelty"],
  ])("%j names %s", async (payload, field) => {
    const { status, type, body } = await ask("POST", "/v1/recommendations", payload);
    expect(status).toBe(400);
    expect(type).toContain("application/problem+json");
    expect(body).toMatchObject({ type: "about:blank", title: "Bad Request", status: 400 });
    expect(body.errors.map(({ field }: { field: string }) => field)).toContain(field);
    expect(JSON.stringify(body)).not.toMatch(/\bat .*:\d+:\d+|node_modules/);
  });

  it.each([
    ["POST", "/v1/recommendations", "{", {}, 400],
    ["POST", "/v1/recommendations", "", {}, 400],
    ["POST", "/v1/recommendations", '{"__proto__": {"x": 1}, "history": []}', {}, 400],
    ["POST", "/v1/recommendations", "history=1", { "content-type": "text/plain" }, 415],
    ["POST", "/v1/recommendations", `{"history": ["${"x".repeat(1 << 20)}"]}`, {}, 413],
    ["GET", "/v1/nothing", undefined, {}, 404],
    ["GET", "/v1/items", undefined, {}, 400],
    ["GET", "/v1/items?search=a&limit=0", undefined, {}, 400],
    ["GET", "/v1/items/%E0%A4%A/similar", undefined, {}, 400],
    ["GET", "/v1/items/nobody/similar", undefined, {}, 404],
    ["GET", "/v1/items/item1/similar?k=many", undefined, {}, 400],
    ["GET", "/v1/users/someone/recommendations?diversity=2", undefined, {}, 400],
    ["GET", "/v1/models", undefined, { host: "evil.example" }, 421],
  ] as const)("%s %s %s is a problem with its status", async (method, url, payload, headers, wanted) => {
    const { status, type, body } = await ask(method, url, payload, headers);
    expect({ status, said: body.status, type: type.split(";")[0] }).toEqual({
      status: wanted,
      said: wanted,
      type: "application/problem+json",
    });
    expect(body.detail).not.toBe("");
  });

  it("beyond the rate limit get 429", async () => {
    const limited = await served({ limits: { perSecond: 3 } });
    try {
      const statuses = [];
      for (let i = 0; i < 5; i++) statuses.push((await limited.ask("GET", "/v1/models")).status);
      expect(statuses.slice(0, 3)).toEqual([200, 200, 200]);
      const { status, body } = await limited.ask("GET", "/v1/models");
      expect({ status, said: body.status }).toEqual({ status: 429, said: 429 });
      expect((await limited.ask("GET", "/health/live")).status).toBe(200);
    } finally {
      await limited.close();
    }
  });

  it("without the token get 401 on protected routes", async () => {
    const token = "0123456789abcdef";
    const guarded = await served({ token });
    try {
      const { status, headers } = await guarded.ask("GET", "/v1/models");
      expect([status, headers["www-authenticate"]]).toEqual([401, "Bearer"]);
      for (const wrong of ["Bearer x", `Basic ${token}`, `Bearer ${token}x`, "Bearer "])
        expect((await guarded.ask("GET", "/metrics", undefined, { authorization: wrong })).status).toBe(401);
      const authorization = `Bearer ${token}`;
      expect((await guarded.ask("GET", "/v1/models", undefined, { authorization })).status).toBe(200);
      for (const open of ["/health/live", "/health/ready", "/openapi.json", "/docs/"])
        expect((await guarded.ask("GET", open)).status).toBe(200);
    } finally {
      await guarded.close();
    }
    expect(sameToken("a", "a")).toBe(true);
    expect(sameToken("a", "ab")).toBe(false);
  });
});

describe("items", () => {
  it("are found by id and by a part of their title", async () => {
    const { body } = await ask("GET", "/v1/items?search=OF%20item1&limit=3");
    expect(body.items.map(({ id }: { id: string }) => id)).toEqual(["item1", "item10", "item11"]);
    expect((await ask("GET", "/v1/items?search=item13")).body.items[0]).toEqual({
      id: "item13",
      title: "item13",
    });
  });

  it("have the same similar items as in the library", async () => {
    const { body } = await ask("GET", "/v1/items/item4/similar?k=5");
    const { item, items } = await similarItems(fixture.recommender, "item4", { k: 5 });
    expect(body.item.id).toBe(item.id);
    expect(body.items.map(({ id }: { id: string }) => id)).toEqual(items.map(({ id }) => id));
  });
});

describe("users", () => {
  it("have histories: stored, folded in, deleted", async () => {
    const url = "/v1/users/ann%2Fsmith";
    const events = [
      { item: "item5", at: "2026-01-02T00:00:00Z" },
      { item: "Title of item1", at: "2026-01-01T00:00:00+01:00" },
      { item: "unheard of" },
    ];
    expect((await ask("POST", `${url}/events`, { events })).body).toEqual({
      stored: 3,
      unknown: ["unheard of"],
    });
    // Again, earlier: nothing changes.
    await ask("POST", `${url}/events`, { events: [{ item: "item5", at: "2020-01-01T00:00:00Z" }] });
    const kept = (await ask("GET", `${url}/events`)).body.events;
    expect(kept.slice(0, 2)).toEqual([
      { item: "item1", at: "2025-12-31T23:00:00.000Z" },
      { item: "item5", at: "2026-01-02T00:00:00.000Z" },
    ]);
    const { body } = await ask("GET", `${url}/recommendations?k=4&explain=true`);
    const { items } = await expected(["item1", "item5"], { k: 4, explain: true });
    expect(body.items).toEqual(items);
    expect(body.unknown).toEqual(["unheard of"]);
    const ruled = await ask("GET", `${url}/recommendations?k=4&diversity=0.6&novelty=0.1`);
    expect(ruled.body.items).toEqual(
      (await expected(["item1", "item5"], { k: 4, diversity: 0.6, novelty: 0.1 })).items,
    );
    expect((await ask("DELETE", url)).body).toEqual({ removed: 3 });
    expect((await ask("DELETE", url)).body).toEqual({ removed: 0 });
    expect((await ask("GET", `${url}/events`)).body).toEqual({ events: [] });
    expect((await ask("GET", `${url}/recommendations`)).body.items).toEqual((await expected([])).items);
  });

  it("have none if the server does not store histories", async () => {
    const without = await served({ store: undefined });
    try {
      expect((await without.ask("DELETE", "/v1/users/ann")).status).toBe(404);
      expect((await without.ask("GET", "/health/ready")).status).toBe(200);
    } finally {
      await without.close();
    }
  });
});

describe("operation", () => {
  it("describes itself in a valid OpenAPI document, and shows it on a page", async () => {
    const { body } = await ask("GET", "/openapi.json");
    const { valid, errors } = await new Validator().validate(body);
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
    expect(Object.keys(body.paths).toSorted()).toEqual([
      "/health/live",
      "/health/ready",
      "/metrics",
      "/v1/items",
      "/v1/items/availability",
      "/v1/items/{id}/similar",
      "/v1/models",
      "/v1/recommendations",
      "/v1/users/{id}",
      "/v1/users/{id}/events",
      "/v1/users/{id}/recommendations",
    ]);
    const { requestBody } = body.paths["/v1/recommendations"].post;
    expect(requestBody.content["application/json"].schema.properties.k).toMatchObject({ maximum: 1000 });
    expect((await ask("GET", "/docs/")).body).toContain("swagger");
  });

  it("is ready, and not ready without its store", async () => {
    const other = await served();
    expect((await other.ask("GET", "/health/ready")).body).toEqual({ status: "ready" });
    await other.store.close();
    expect((await other.ask("GET", "/health/ready")).status).toBe(503);
    expect((await other.ask("GET", "/health/live")).status).toBe(200);
    await other.close();
  });

  it("reports that it must be restarted after a kernel failed", async () => {
    const engine = await openEngine({ engine: "reference" });
    const failing = await served({ engine });
    // As an engine is after a failed kernel: everything that waits for it is rejected.
    engine.finished = () => Promise.reject(new Error("a kernel broke"));
    for (const path of ["/health/live", "/health/ready"]) {
      const { status, body } = await failing.ask("GET", path);
      expect(status).toBe(503);
      expect(body.detail).toMatch(/engine failed.*restarted/);
    }
    await failing.close();
    await engine.close();
  });

  it("switches to a new run without a failed request, and keeps the old one if the new one is broken", async () => {
    const live = await served();
    try {
      const asked = () => live.ask("POST", "/v1/recommendations", { history: ["item1"], k: 5 });
      const before = await asked();
      await trainRun(join(live.folder, "next"), 2);
      let failed = 0;
      let done = false;
      const traffic = Promise.all(
        [1, 2, 3].map(async () => {
          while (!done) if ((await asked()).status !== 200) failed++;
        }),
      );
      await rename(live.run, join(live.folder, "old"));
      await rename(join(live.folder, "next"), live.run);
      expect(await live.server.reload()).toEqual([{ name: "main", version: expect.any(String) }]);
      done = true;
      await traffic;
      const after = await asked();
      expect(failed).toBe(0);
      expect(after.body.version).not.toBe(before.body.version);
      expect(after.body.results[0].items).not.toEqual(before.body.results[0].items);
      expect(await live.server.reload()).toEqual([]);
      await rm(join(live.run, "model", "model.safetensors"));
      expect(await live.server.reload()).toEqual([{ name: "main", error: expect.any(Error) }]);
      expect((await asked()).body).toEqual(after.body);
      expect((await live.ask("GET", "/metrics")).body).toContain(
        'foldin_reloads_total{model="main",outcome="failed"} 1',
      );
    } finally {
      await live.close();
    }
  });

  it("always assigns a user to the same model, by the shares", async () => {
    const several = await served({
      models: [
        { name: "a", folder: fixture.run, share: 80 },
        { name: "b", folder: fixture.run, share: 20 },
      ],
    });
    try {
      const modelOf = async (user: string) =>
        (await several.ask("POST", "/v1/recommendations", { history: [], k: 1, user })).body.model;
      const names: string[] = [];
      for (let user = 0; user < 300; user++) names.push(await modelOf(`user${user}`));
      const toB = names.filter((name) => name === "b").length;
      // 60 expected; six standard deviations are 42.
      expect(Math.abs(toB - 60)).toBeLessThan(42);
      for (let user = 0; user < 20; user++) {
        expect(await modelOf(`user${user}`)).toBe(names[user]);
        const kept = await several.ask("GET", `/v1/users/user${user}/recommendations`);
        expect(kept.body.model).toBe(names[user]);
      }
      const named = await several.ask("POST", "/v1/recommendations", { history: [], model: "b" });
      expect(named.body.model).toBe("b");
    } finally {
      await several.close();
    }
  });

  it("answers 503 if too many requests are waiting", async () => {
    const small = await served({ limits: { waiting: 2 } });
    try {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => small.ask("POST", "/v1/recommendations", { history: ["item1"] })),
      );
      const statuses = answers.map(({ status }) => status);
      expect(new Set(statuses)).toEqual(new Set([200, 503]));
      expect(answers.find(({ status }) => status === 503)?.headers["retry-after"]).toBe("1");
    } finally {
      await small.close();
    }
  });
});
