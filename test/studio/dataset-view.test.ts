import { describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { ItemAttributes } from "../../src/data/attributes/attributes.js";
import { encodeColumn } from "../../src/data/attributes/encode.js";
import type { Dataset } from "../../src/data/dataset.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { fromPairs, fromRows } from "../../src/sparse/csr.js";
import { DatasetView } from "../../src/studio/dataset-view.js";

/** Six films. Training users have film i in 6 - i histories, but for the last one, which nobody has. */
function films(): Dataset {
  const ids = ["a1", "b2", "c3", "d4", "e5", "f6"];
  const titles = ["Amélie", "The Sea", "Sea of Love", "Love Letters", null, "Amateur"];
  const column = (name: string, values: (string | null)[], type: "text" | "list" | "number") =>
    encodeColumn({ name, values }, { type }, (item) => ids[item], "films");
  const attributes = ItemAttributes.of(6, [
    column("genres", ["Comedy|Romance", "Drama", "Crime|Drama", "Romance", null, "Comedy"], "list"),
    column("country", ["France", "Ireland", "United States", null, "France", "United States"], "text"),
    column("year", ["2001", "2013", "1989", null, "1950", "1994"], "number"),
  ]);
  const train = fromRows(6, [[0, 1, 2, 3, 4], [0, 1, 2, 3], [0, 1, 2], [0, 1], [0], []]);
  const empty = { users: new Vocabulary([]), foldIn: fromRows(6, []), heldOut: fromRows(6, []) };
  return {
    name: "films",
    items: new Vocabulary(ids, titles, attributes),
    users: new Vocabulary(["u10", "u11", "u2", "U3", "u4", "u1"]),
    train,
    validation: empty,
    test: {
      users: new Vocabulary(["t1", "t2"]),
      // Ratings of t1: film 2 has 3, film 0 has 5, film 1 has 5.
      foldIn: fromPairs(
        2,
        6,
        Uint32Array.of(0, 0, 0, 1),
        Uint32Array.of(0, 1, 2, 3),
        Float32Array.of(5, 5, 3, 4),
      ),
      heldOut: fromPairs(2, 6, Uint32Array.of(0), Uint32Array.of(4), Float32Array.of(4)),
    },
  };
}

const view = new DatasetView(films());
const found = async (search: string, rest: object = {}) => {
  const { total, items } = await view.items({ search, order: "popular", from: 0, limit: 50, ...rest });
  return [total, ...items.map(({ id }) => id)];
};

describe("the items of a dataset", () => {
  it("are listed by popularity, page by page", async () => {
    expect(await found("")).toEqual([6, "a1", "b2", "c3", "d4", "e5", "f6"]);
    expect(await found("", { order: "rare", from: 1, limit: 2 })).toEqual([6, "e5", "d4"]);
    expect(await found("", { from: 6 })).toEqual([6]);
  });

  it("are found by all words of a search, in titles, ids and attributes, without case and accents", async () => {
    expect(await found("AMELIE")).toEqual([1, "a1"]);
    expect(await found("sea")).toEqual([2, "b2", "c3"]);
    expect(await found("love sea")).toEqual([1, "c3"]);
    expect(await found("drama")).toEqual([2, "b2", "c3"]);
    expect(await found("states comedy")).toEqual([1, "f6"]);
    expect(await found("e5")).toEqual([1, "e5"]);
    expect(await found("nothing")).toEqual([0]);
  });

  it("are found by a filter, alone or with a search", async () => {
    expect(await found("", { where: "year >= 1990 and genres = Comedy" })).toEqual([2, "a1", "f6"]);
    expect(await found("amat", { where: "year >= 1990" })).toEqual([1, "f6"]);
    const { unknown } = await view.items({
      ...{ search: "", order: "popular", from: 0, limit: 5 },
      where: "genres = Comdey",
    });
    expect(unknown).toEqual([{ attribute: "genres", value: "Comdey", nearest: "Comedy" }]);
  });

  it("name what is wrong with a filter", async () => {
    await expect(found("", { where: "gender = x" })).rejects.toThrow(/no attribute "gender".*genres/);
    await expect(found("", { where: "year >=" })).rejects.toThrow(UserError);
  });

  it("show their attributes, and nothing for a missing one", async () => {
    const { items } = await view.items({ search: "", order: "popular", from: 0, limit: 6 });
    expect(items[0]).toEqual({
      ...{ id: "a1", title: "Amélie", users: 5 },
      attributes: { genres: ["Comedy", "Romance"], country: ["France"], year: [2001] },
    });
    expect(items[3].attributes).toEqual({ genres: ["Romance"] });
    expect(items[4].title).toBeNull();
  });
});

describe("the users of a dataset", () => {
  it("are found by a part of their id, an equal id first", () => {
    const users = (search: string, from = 0) => {
      const { total, users } = view.users({ of: "train", search, from, limit: 3 });
      return [total, ...users.map(({ id, history }) => `${id} ${history}`)];
    };
    expect(users("u1")).toEqual([3, "u1 0", "u10 5", "u11 4"]);
    expect(users("u1", 2)).toEqual([3, "u11 4"]);
    expect(users("u3")).toEqual([1, "U3 2"]);
    expect(users("x")).toEqual([0]);
    expect(view.users({ of: "test", search: "", from: 0, limit: 3 }).users).toEqual([
      { id: "t1", history: 3, heldOut: 1 },
      { id: "t2", history: 1, heldOut: 0 },
    ]);
  });

  it("have a history, the best rated first, and what was held out", async () => {
    const user = await view.user({ of: "test", user: "t1" });
    expect(user).toMatchObject({ place: 0, users: 2, next: "t2", historyLength: 3, heldOutLength: 1 });
    expect(user).not.toHaveProperty("previous");
    // Equal ratings by popularity.
    expect(user.history.map(({ id, rating }) => [id, rating])).toEqual([
      ["a1", 5],
      ["b2", 5],
      ["c3", 3],
    ]);
    expect(user.heldOut.map(({ id, rating }) => [id, rating])).toEqual([["e5", 4]]);
    const trained = await view.user({ of: "train", user: "U3" });
    expect(trained).toMatchObject({ previous: "u2", next: "u4", heldOut: [] });
    await expect(view.user({ of: "test", user: "u10" })).rejects.toThrow("u10 is not one of the test users");
  });
});

describe("the description of a dataset", () => {
  it("has the distributions and the long tail", async () => {
    const answer = await view.describe();
    expect(answer.historyHistogram.reduce((sum, { count }) => sum + count, 0)).toBe(6);
    // 15 interactions: the first three items have 5 + 4 + 3 = 12, which is 80 %.
    expect(answer.longTail).toMatchObject({ head: 3, items: 6 });
    expect(answer.longTail.points.at(-1)).toEqual({ rank: 6, users: 0, share: 1 });
    expect(answer.attributes?.map(({ name, missing }) => [name, missing])).toEqual([
      ["genres", 1],
      ["country", 1],
      ["year", 1],
    ]);
  });
});
