// Filters over HTTP: the library's answers, and errors that name the field.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recommend } from "../../../src/recommender/recommend.js";
import { attributed, served } from "../../support/served.js";

let fixture: Awaited<ReturnType<typeof served>>;
beforeAll(async () => {
  fixture = await served({}, attributed());
});
afterAll(() => fixture.close());

const filter = {
  and: [
    { attribute: "tags", isOneOf: ["t1", "t2"] },
    { attribute: "number", atLeast: 20, below: 50 },
    { not: { attribute: "kind", is: "odd" } },
  ],
};
const where = "tags in (t1, t2) and number >= 20 and number < 50 and not kind = odd";
const ids = (items: { id: string }[]) => items.map(({ id }) => id);

describe("a filter in a request", () => {
  it("gives the library's answer, for one history or several", async () => {
    const histories = [["item1", "item5"], []];
    const { status, body } = await fixture.ask("POST", "/v1/recommendations", { histories, filter, k: 30 });
    expect(status).toBe(200);
    for (const [h, history] of histories.entries()) {
      const { items } = await recommend(fixture.recommender, history, { filter, k: 30 });
      expect(items.length).toBeGreaterThan(5);
      expect(ids(body.results[h].items)).toEqual(ids(items));
    }
  });

  it("is text in a query: for similar items and for users", async () => {
    const query = `k=30&where=${encodeURIComponent(where)}`;
    const similar = await fixture.ask("GET", `/v1/items/item1/similar?${query}`);
    const { items } = await recommend(fixture.recommender, ["item1"], { filter, k: 30 });
    expect(ids(similar.body.items)).toEqual(ids(items));
    await fixture.ask("POST", "/v1/users/u/events", { events: [{ item: "item1" }] });
    const user = await fixture.ask("GET", `/v1/users/u/recommendations?${query}`);
    expect(ids(user.body.items)).toEqual(ids(items));
  });

  it.each<[unknown, string, RegExp]>([
    ["kind = odd", "body.filter", /"kind = odd" is not a filter/],
    [{ and: [{ attribute: "kind" }] }, "body.filter.and.0", /has no condition/],
    [
      { and: [{ attribute: "kidn", is: "odd" }] },
      "body.filter.and.0",
      /no attribute "kidn".*Did you mean "kind"\?/,
    ],
    [{ attribute: "number", is: "x" }, "body.filter", /"x" is not a value of "number", which is a number/],
    [{ attribute: "kind", is: null }, "body.filter.is", /null is not a value/],
    [{ attribute: "kind", isOneOf: ["a", {}] }, "body.filter.isOneOf.1", /\{\} is not a value/],
  ])("%j is refused, naming the field", async (filter, field, problem) => {
    const { status, body } = await fixture.ask("POST", "/v1/recommendations", {
      history: [],
      filter,
    } as object);
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ field, problem: expect.stringMatching(problem) }]);
    expect(body.detail).toContain(body.errors[0].problem.slice(0, 20));
  });

  it.each([
    ["kind odd", /^query\.where, position 6: unexpected "odd"/],
    ["kidn = odd", /^query\.where, position 1: the items have no attribute "kidn"/],
    ["kind = even and number > x", /^query\.where, position 17: "x" is not a value of "number"/],
  ])("%s is refused, naming the position", async (text, detail) => {
    const url = `/v1/items/item1/similar?where=${encodeURIComponent(text)}`;
    const { status, body } = await fixture.ask("GET", url);
    expect([status, body.errors[0].field]).toEqual([400, "query.where"]);
    expect(body.detail).toMatch(detail);
  });

  it("of a model without attributes is refused with what to do", async () => {
    const plain = await served();
    const { status, body } = await plain.ask("POST", "/v1/recommendations", { history: [], filter });
    expect(status).toBe(400);
    expect(body.detail).toMatch(/^body\.filter: the model has no item attributes\. Prepare the dataset/);
    await plain.close();
  });

  it("is described in the OpenAPI document, as a component that refers to itself", async () => {
    const { body } = await fixture.ask("GET", "/openapi.json");
    const schema = body.paths["/v1/recommendations"].post.requestBody.content["application/json"].schema;
    expect(schema.properties.filter).toMatchObject({ $ref: "#/components/schemas/Filter" });
    const { oneOf } = body.components.schemas.Filter;
    expect(oneOf.at(-1).properties.not).toEqual({ $ref: "#/components/schemas/Filter" });
  });
});
