import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseJson } from "../../../src/serving/server/json-body.js";
import { Problem } from "../../../src/serving/server/problems.js";
import { rawClient } from "../../support/raw-client.js";
import { served } from "../../support/served.js";

const read = (text: string | Buffer, values = 1000) => parseJson(Buffer.from(text as string), values);
const complaint = (text: string | Buffer, values?: number) => {
  try {
    return JSON.stringify(read(text, values));
  } catch (error) {
    expect(error).toBeInstanceOf(Problem);
    return (error as Problem).message;
  }
};

describe("a JSON body", () => {
  it("is parsed like JSON.parse, for any value", () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 8 }).filter((value) => !JSON.stringify(value).includes("__proto__")),
        fc.constantFrom(undefined, 1, "\t"),
        (value, space) => {
          const text = JSON.stringify(value, null, space);
          expect(read(text)).toEqual(JSON.parse(text));
        },
      ),
    );
  });

  it("that is not JSON is refused, whatever is wrong with it", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[{}[\]",:\\a1 ]{0,40}$/)),
        (text) => {
          let sound = true;
          try {
            JSON.parse(text.replace(/^\uFEFF/, ""));
          } catch {
            sound = false;
          }
          if (!sound && text !== "") expect(complaint(text)).toMatch(/^the body /);
        },
      ),
      { numRuns: 500 },
    );
    expect(complaint("")).toContain("empty");
    expect(complaint('{"a":')).toMatch(/^the body is not JSON: /);
  });

  it("with a duplicate key is refused, however the key is written", () => {
    expect(complaint('{"k":1,"k":2}')).toBe('the body has the key "k" twice');
    expect(complaint('{"k":1,"\\u006b":2}')).toBe('the body has the key "k" twice');
    expect(complaint('[{"a":{"b":[{"c":1,"c":1}]}}]')).toBe('the body has the key "c" twice');
    expect(complaint('{"__proto__":{}}')).toContain("__proto__");
    expect(complaint('{"a":[{"\\u005f_proto__":1}]}')).toContain("__proto__");
    // The same key in other objects, or as a value.
    expect(read('[{"k":"k"},{"k":{"k":["k","k"]}}]')).toEqual([{ k: "k" }, { k: { k: ["k", "k"] } }]);
    expect(read('{"\\"":1,"\\\\":2,"a\\\\\\"":3}')).toEqual({ '"': 1, "\\": 2, 'a\\"': 3 });
  });

  it("is UTF-8, with or without a byte order mark", () => {
    expect(read('\uFEFF{"a":"é€😀"}')).toEqual({ a: "é€😀" });
    for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]])
      expect(complaint(Buffer.from([0x22, ...bytes, 0x22]))).toBe("the body is not valid UTF-8");
  });

  it("is bounded in depth, values and keys", () => {
    expect(complaint("[".repeat(500_000))).toContain("more than 16 levels deep");
    expect(complaint(`[${"1,".repeat(2000)}1]`)).toContain("more than 1000 values");
    const keys = Array.from({ length: 101 }, (_, k) => `"k${k}":1`);
    expect(complaint(`{${keys}}`)).toContain("more than 100 keys");
    expect(complaint(`{${keys.slice(1)}}`)).toContain('"k100":1');
  });
});

describe("a request with invalid bytes", () => {
  let fixture: Awaited<ReturnType<typeof served>>;
  beforeAll(async () => {
    fixture = await served();
  });
  afterAll(() => fixture.close());

  it.each([
    ["GET", "/v1/items?search=%FF"],
    ["GET", "/v1/items?search=%E2%82"],
    ["GET", "/v1/items?search=%"],
    ["GET", "/v1/items?search=%C0%AF"],
    ["GET", "/v1/items?search=a%00b"],
    ["GET", "/v1/items?search=a&%FF=1"],
    ["GET", "/v1/items/%FF/similar"],
    ["GET", "/v1/items/a%00b/similar"],
    ["GET", "/v1/users/%ED%A0%80/events"],
    ["DELETE", "/v1/users/a%0Ab"],
  ] as const)("%s %s is a 400", async (method, url) => {
    const { status, type } = await fixture.ask(method, url);
    expect([status, type.split(";")[0]]).toEqual([400, "application/problem+json"]);
  });

  it.each([
    '{"history":["\\ud800"]}',
    '{"history":["\\udc00\\ud800"]}',
    '{"history":["a\\u0000b"]}',
    '{"history":[],"user":"\\ud800"}',
    '{"history":[],"history":["item1"]}',
    '{"history":[],"hasOwnProperty":1}',
    '{"history":[12345678901234567890]}',
  ])("%s is a 400", async (payload) => {
    const { status, body } = await fixture.ask("POST", "/v1/recommendations", payload);
    expect(status).toBe(400);
    expect(JSON.stringify(body)).not.toContain("\uFFFD");
  });

  it("in another encoding is a 415", async () => {
    const ask = (headers: object) => fixture.ask("POST", "/v1/recommendations", '{"history":[]}', headers);
    expect((await ask({ "content-encoding": "gzip" })).status).toBe(415);
    expect((await ask({ "content-encoding": "identity" })).status).toBe(200);
    expect((await ask({ "content-type": "application/json; charset=latin1" })).status).toBe(415);
    expect((await ask({ "content-type": 'application/json; charset="UTF-8"' })).status).toBe(200);
    expect((await ask({ "content-type": "application/xml" })).status).toBe(415);
  });

  it("that are not encoded in the URL is a 400", async () => {
    const address = await fixture.server.listen(0);
    for (const bytes of [Buffer.from("é"), Buffer.from([0xe9])]) {
      const [before, after] = [
        "GET /v1/items?search=",
        " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      ];
      const request = Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]);
      expect(await (await rawClient(address, request)).closed()).toMatch(/^HTTP\/1.1 400 /);
    }
  });
});

describe("lists in a request", () => {
  it("have their length checked before their elements, and few elements are reported", async () => {
    const fixture = await served();
    try {
      const post = async (url: string, body: object) => (await fixture.ask("POST", url, body)).body;
      const long = await post("/v1/recommendations", { history: [], exclude: Array(10_001).fill(null) });
      expect(long.errors).toEqual([{ field: "body.exclude", problem: "expected at most 10000; got 10001" }]);
      const bad = await post("/v1/recommendations", { histories: Array(100).fill(Array(500).fill(true)) });
      expect(bad.errors).toHaveLength(20);
      expect(bad.errors[0].field).toBe("body.histories.0.0");
      const events = await post("/v1/users/a/events", { events: Array(1001).fill({}) });
      expect(events.errors).toEqual([{ field: "body.events", problem: "expected at most 1000; got 1001" }]);
      const event = await post("/v1/users/a/events", { events: [{ item: "item1", at: "yesterday" }] });
      expect(event.errors[0].field).toBe("body.events.0.at");
      const { paths } = (await fixture.ask("GET", "/openapi.json")).body;
      const { properties } = paths["/v1/recommendations"].post.requestBody.content["application/json"].schema;
      expect(properties.exclude).toMatchObject({ type: "array", maxItems: 10_000 });
      expect(properties.histories).toMatchObject({ maxItems: 100, items: { type: "array", maxItems: 1000 } });
    } finally {
      await fixture.close();
    }
  });
});
