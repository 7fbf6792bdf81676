import { describe, expect, it } from "vitest";
import { recommendationsRequest } from "../../../src/studio/models-api.js";
import {
  addressOf,
  hasRules,
  positionIn,
  requestOf,
  type Settings,
  settingsOf,
} from "../../../studio/src/playground/settings.js";

const all: Settings = {
  runs: ["runs/a", "b"],
  history: ["1", "an id, with | and ="],
  similar: "7",
  k: 20,
  where: "genre = 'Sci Fi' and year >= 1990",
  exclude: ["3"],
  candidates: ["4", "5"],
  includeHistory: true,
  explain: false,
  diversity: 0.35,
  novelty: 1,
  atMost: [
    { attribute: "series", most: 1 },
    { attribute: "a = b", most: 3 },
  ],
  boosts: [
    { by: -0.2, where: "year < 1950" },
    { by: 1, where: "genre = 'a: b'" },
  ],
};
const inAddress = (settings: Settings) =>
  settingsOf(
    new URLSearchParams(
      Object.entries(addressOf(settings)).flatMap(([name, value]) => (value ? [[name, value]] : [])),
    ),
  );
const none = settingsOf(new URLSearchParams());

describe("settings of the playground", () => {
  it("are the same after a reload", () => {
    expect(inAddress(all)).toEqual(all);
    expect(inAddress(none)).toEqual(none);
    expect(
      new URLSearchParams(addressOf(none) as Record<string, string>).toString().replace(/\w+=&?/g, ""),
    ).toBe("");
  });

  it("ignore what an address cannot mean", () => {
    const parameters =
      "k=0&diversity=7&novelty=x&most=series&boost=2%3A%20a%20%3D%201&history=1%0A1%0A&runs=a|a|b|c|d|e";
    expect(settingsOf(new URLSearchParams(parameters))).toMatchObject({
      ...{ k: 1, diversity: 1, novelty: 0, atMost: [], history: ["1"], runs: ["a", "b", "c", "d"] },
      boosts: [{ by: 1, where: "a = 1" }],
    });
  });

  it("make requests that the server accepts, with every option of recommendations", () => {
    const { similar: _, ...plain } = all;
    const request = requestOf({ ...plain, similar: undefined, explain: true }, "b");
    const options = Object.keys(recommendationsRequest.shape).sort();
    expect(Object.keys(request).sort()).toEqual(options);
    expect(recommendationsRequest.parse(request)).toEqual(request);
    expect(request.atMost).toEqual({ series: 1, "a = b": 3 });
  });

  it("leave out rules without effect, and boosts that are not written yet", () => {
    expect(requestOf(none, "b")).toEqual({ run: "b", k: 10, history: [] });
    const boosts = [
      { by: 0.2, where: " " },
      { by: 0, where: "year > 1" },
    ];
    expect(requestOf({ ...none, boosts }, "b")).toEqual({ run: "b", k: 10, history: [] });
    expect([hasRules(none), hasRules({ ...none, boosts })]).toEqual([false, true]);
  });

  it("ask for the items that are similar to one with a history of this item alone", () => {
    expect(requestOf({ ...none, history: ["1", "2"], similar: "9" }, "b")).toEqual({
      ...{ run: "b", k: 10, history: ["9"] },
    });
  });
});

describe("the position of a mistake", () => {
  it("is that of the message, from 0, and only for the filter", () => {
    expect(positionIn('filter, position 15: unexpected "Noir"', "filter")).toBe(14);
    expect(positionIn("boost 1, position 3: unexpected", "filter")).toBeUndefined();
    expect(positionIn("filter: the model has no item attributes", "filter")).toBeUndefined();
  });
});
