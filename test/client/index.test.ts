import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
// @ts-expect-error: scripts are plain JavaScript.
import { typesFile, typesOf } from "../../scripts/client.mjs";
import { createClient, type FoldinClient, FoldinRequestError } from "../../src/client/index.js";
import { attributed, served } from "../support/served.js";

const root = resolve(import.meta.dirname, "../..");
let server: Awaited<ReturnType<typeof served>>;
let url: string;
let client: FoldinClient;
beforeAll(async () => {
  server = await served({ token: "secret" }, attributed());
  url = await server.server.listen(0);
  client = createClient({ url, token: "secret", retries: 0 });
});
afterAll(() => server.close());

describe("the client", () => {
  it("has the types of the server's OpenAPI document (npm run client:update writes them)", async () => {
    const { body } = await server.ask("GET", "/openapi.json", undefined, { authorization: "Bearer secret" });
    const { security: _, ...document } = body;
    document.components.securitySchemes = undefined;
    expect(await typesOf(document)).toBe(readFileSync(typesFile, "utf8"));
  });

  it("recommends for histories, as the server does", async () => {
    const { model, results } = await client.recommend({
      histories: [["item1"], ["item2", "item3"]],
      k: 3,
      filter: { attribute: "kind", is: "even" },
    });
    expect(model).toBe("main");
    const { body } = await server.ask(
      "POST",
      "/v1/recommendations",
      { histories: [["item1"], ["item2", "item3"]], k: 3, filter: { attribute: "kind", is: "even" } },
      { authorization: "Bearer secret" },
    );
    expect(results).toEqual(body.results);
    expect(results.map(({ items }) => items.length)).toEqual([3, 3]);
  });

  it("records events of a user, recommends for them, and forgets the user", async () => {
    const user = "ann/5 %?#";
    expect(await client.addEvents(user, [{ item: "item1" }, { item: "none" }])).toEqual({
      stored: 2,
      unknown: ["none"],
    });
    const { items, history } = await client.recommendFor(user, { k: 2, explain: true, where: "kind = odd" });
    expect(history.map(({ id }) => id)).toEqual(["item1"]);
    expect(items).toHaveLength(2);
    expect(items[0].because?.[0].id).toBe("item1");
    expect((await client.historyOf(user)).events.map(({ item }) => item).sort()).toEqual(["item1", "none"]);
    expect(await client.forget(user)).toEqual({ removed: 2 });
  });

  it("finds items, items like them, and the models", async () => {
    const { items } = await client.search("item1", { limit: 1 });
    expect(items[0].id).toBe("item1");
    expect((await client.similar("item1", { k: 4 })).items).toHaveLength(4);
    expect((await client.models()).models[0].algorithm).toBe("mult-vae");
  });

  it("takes items out and brings them back", async () => {
    expect(await client.setAvailability({ takeOut: ["item2"] })).toMatchObject({ unavailable: 1 });
    expect(await client.unavailable()).toMatchObject({ items: ["item2"] });
    expect(await client.setAvailability({ bringBack: ["item2"] })).toMatchObject({ unavailable: 0 });
  });

  it("throws the server's problem, with the field", async () => {
    const failure = await client.recommend({ history: ["item1"], k: 0 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FoldinRequestError);
    const { status, problem, message } = failure as FoldinRequestError;
    expect(status).toBe(400);
    expect(problem?.errors?.[0].field).toBe("body.k");
    expect(message.split("body.k")).toHaveLength(2);
    await expect(createClient({ url, retries: 0 }).models()).rejects.toMatchObject({ status: 401 });
    await expect(client.search("item1", { limit: 1000 })).rejects.toThrow(/limit/);
  });

  it("says what happened where no server answers, or another one does", async () => {
    await expect(createClient({ url: "http://127.0.0.1:9", retries: 0 }).models()).rejects.toThrow();
    const proxy = async () => new Response("<html>", { status: 404 });
    await expect(createClient({ url, fetch: proxy }).models()).rejects.toMatchObject({
      status: 404,
      problem: undefined,
      message: expect.stringContaining("status 404"),
    });
  });

  it.each(["", "localhost:8080", "ftp://host"])("refuses the address %j", (address) => {
    expect(() => createClient({ url: address })).toThrow(TypeError);
  });

  it("is a few kB for a browser, without Node's modules", async () => {
    const result = await build({
      ...{ root, configFile: false, logLevel: "silent" },
      build: {
        ...{ write: false, minify: true },
        lib: { entry: "src/client/index.ts", formats: ["es"], fileName: "client" },
        rolldownOptions: { external: /^node:/ },
      },
    });
    const [{ output }] = result as { output: { code: string }[] }[];
    expect(output).toHaveLength(1);
    expect(output[0].code).not.toContain("node:");
    expect(gzipSync(output[0].code).length).toBeLessThan(6 * 1024);
    console.log(`foldin/client: ${gzipSync(output[0].code).length} bytes, compressed`);
  });
});
