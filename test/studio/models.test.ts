import { cpSync, mkdtempSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AbortedError } from "../../src/core/errors.js";
import { AmbiguousTitlesError } from "../../src/recommender/look-up.js";
import { parseWhere, recommend } from "../../src/recommender/recommend.js";
import type { Recommender } from "../../src/recommender/recommender.js";
import { similarItems } from "../../src/recommender/similar.js";
import { loadRecommender } from "../../src/serving/load.js";
import { Models } from "../../src/studio/models.js";
import { makeFilms } from "../support/films.js";
import { writeRun } from "../support/run-folders.js";

const root = mkdtempSync(join(tmpdir(), "foldin-studio-"));
const path = (name: string) => join(root, name);
let models: Models;
let ease: Recommender;

beforeAll(async () => {
  await makeFilms(root);
  writeRun(path("unfinished"));
  cpSync(path("ease"), path("broken"), { recursive: true });
  truncateSync(join(path("broken"), "model", "model.safetensors"), 1000);
  models = new Models();
  ease = await loadRecommender(path("ease"));
});
afterAll(() => {
  ease?.dispose();
  models?.close();
  rmSync(root, { recursive: true, force: true });
});

const ask = (run: string, history: readonly string[], options: object = {}) =>
  models.ask(path(run), { kind: "recommend", history, k: 5, ...options });

describe("the process with the models", () => {
  it("recommends what the library recommends, under rules", async () => {
    const history = ["film 1", "7", "12"];
    const { items, history: found } = await ask("ease", history, {
      ...{ where: "genres = comedy and year >= 1990", exclude: ["film 3"], explain: true },
      ...{ diversity: 0.3, novelty: 0.2, atMost: { series: 1 }, boost: [{ where: "year > 2000", by: 0.4 }] },
    });
    const expected = await recommend(ease, history, {
      ...{ k: 5, filter: parseWhere("genres = comedy and year >= 1990"), exclude: ["film 3"], explain: true },
      ...{ diversity: 0.3, novelty: 0.2, atMost: { series: 1 } },
      boost: [{ where: parseWhere("year > 2000"), by: 0.4 }],
    });
    expect(items).toEqual(expected.items);
    // One of each series.
    expect(items.length).toBe(4);
    expect(found).toEqual(expected.history);
  });

  it("finds the items that the library finds similar: those for a history with the item alone", async () => {
    const { items } = await ask("ease", ["9"]);
    expect(items).toEqual((await similarItems(ease, "9", { k: 5 })).items);
  });

  it("suggests titles that begin with a text, then those that contain it, and similar ones for a mistyped title", async () => {
    const search = (text: string) => models.ask(path("ease"), { kind: "search", text, limit: 3 });
    const titles = (await search("FILM 2")).items.map(({ title }) => title);
    expect(titles[0]).toBe("film 2 (1962)");
    expect(titles.map((title) => title.slice(0, 6))).toEqual(["film 2", "film 2", "film 2"]);
    expect((await search("962)")).items.map(({ title }) => title)).toEqual(["film 2 (1962)"]);
    expect((await search("the fillm 2")).items).toEqual([]);
    expect((await search("fillm 2")).near.map(({ title }) => title)).toContain("film 2 (1962)");
    // An id comes first.
    expect((await search("17")).items[0].id).toBe("17");
    expect(await search("  ")).toEqual({ items: [], near: [] });
  });

  it("describes the attributes with their most frequent values", async () => {
    const found = await models.ask(path("ease"), { kind: "describe" });
    expect(found).toMatchObject({ algorithm: "ease", items: 40, titled: true, popularity: true });
    expect(found.attributes).toEqual([
      { name: "year", type: "number", values: ["1961", "2000"] },
      { name: "genres", type: "list", values: ["comedy", "drama", "war"] },
      { name: "series", type: "text", values: ["s0", "s1", "s2", "s3"] },
    ]);
  });

  it("names items, and leaves out those that the model does not know", async () => {
    const { items } = await models.ask(path("ease"), { kind: "names", ids: ["3", "nothing", "1"] });
    expect(items.map(({ title }) => title)).toEqual(["film 3 (1963)", "film 1 (1961)"]);
  });

  it("names entries that the model does not know, with similar titles, and values that no item has", async () => {
    const { unknown, unknownValues } = await ask("ease", ["film 1", "fillm 2"], { where: "genres = comdy" });
    expect(unknown).toEqual([{ text: "fillm 2", near: expect.arrayContaining(["film 2 (1962)"]) }]);
    expect(unknownValues).toEqual([{ attribute: "genres", value: "comdy", nearest: "comedy" }]);
  });

  it("says where a filter is wrong, and what a model cannot do", async () => {
    await expect(ask("ease", [], { where: "genres = (" })).rejects.toThrow(/^filter, position 10: /);
    await expect(ask("ease", [], { where: "yaer > 1" })).rejects.toThrow(/Did you mean "year"/);
    await expect(
      ask("ease", [], {
        boost: [
          { where: "year > 1990", by: 0.1 },
          { where: "year >", by: 1 },
        ],
      }),
    ).rejects.toThrow(/^boost 2, position /);
    await expect(ask("ease", [], { atMost: { serie: 1 } })).rejects.toThrow(/serie.*Did you mean "series"/);
  });

  it("reports a title of several items with their ids", async () => {
    const error = await ask("ease", ["twins"]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AmbiguousTitlesError);
    expect((error as Error).message).toMatch(/2 items are called "twins".*(39.*40|40.*39)/);
  });

  it("survives a run folder that is broken, with one message", async () => {
    const { pid } = models;
    await expect(ask("broken", [])).rejects.toThrow(/broken.model.model\.safetensors: /);
    await expect(ask("unfinished", [])).rejects.toThrow(/unfinished: this run has no model yet/);
    await expect(ask("nothing", [])).rejects.toThrow(/nothing/);
    expect((await ask("ease", ["1"])).items.length).toBe(5);
    expect(models.pid).toBe(pid);
  });

  it("loads a run again after it was replaced", async () => {
    cpSync(path("ease"), path("changing"), { recursive: true });
    const algorithm = async () => (await models.ask(path("changing"), { kind: "describe" })).algorithm;
    expect(await algorithm()).toBe("ease");
    rmSync(path("changing"), { recursive: true });
    cpSync(path("popularity"), path("changing"), { recursive: true });
    expect(await algorithm()).toBe("popularity");
  });

  it("rejects a request that is aborted, and answers the next one", async () => {
    const stop = new AbortController();
    const asked = models.ask(path("ease"), { kind: "describe" }, stop.signal);
    stop.abort();
    await expect(asked).rejects.toBeInstanceOf(AbortedError);
    await expect(models.ask(path("ease"), { kind: "describe" }, stop.signal)).rejects.toBeInstanceOf(
      AbortedError,
    );
    expect((await ask("ease", ["1"])).items.length).toBe(5);
  });

  it("is started again after it was killed; open requests are told so", async () => {
    const { pid } = models;
    const open = ask("ease", ["1"]);
    process.kill(pid as number, "SIGKILL");
    await expect(open).rejects.toThrow(/ended \(SIGKILL\)/);
    expect((await ask("ease", ["1"])).items.length).toBe(5);
    expect(models.pid).not.toBe(pid);
  });

  it("ends after some time without requests, and with the studio", async () => {
    const idle = new Models({ idle: 50 });
    const isAlive = (pid: number) => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    const alive = () => expect.poll(() => pids.filter(isAlive), { timeout: 10_000 });
    const pids: number[] = [];
    await idle.ask(path("ease"), { kind: "describe" });
    pids.push(idle.pid as number);
    await alive().toEqual([]);
    expect(idle.pid).toBeUndefined();
    await idle.ask(path("ease"), { kind: "describe" });
    pids.push(idle.pid as number);
    idle.close();
    await alive().toEqual([]);
  });
});
