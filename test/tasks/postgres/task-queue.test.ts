// Who may report on a task. Needs a PostgreSQL server, given by FOLDIN_TEST_POSTGRES (scripts/with-postgres.sh starts one).

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parsePostgresUrl } from "../../../src/core/postgres-url.js";
import { type TakenTask, TaskQueue } from "../../../src/tasks/postgres/task-queue.js";
import { postgres, useDatabase } from "../../support/postgres.js";

describe.skipIf(!postgres)("a queue of tasks", () => {
  const database = useDatabase();
  let queue: TaskQueue;
  beforeAll(async () => {
    queue = await TaskQueue.open(parsePostgresUrl(database.url, { place: "--queue", expected: "" }));
  });
  afterAll(() => queue.close());

  const setup = { kind: "point", folder: "/nowhere", setup: {} } as const;
  const task = (key: string, heartbeat = 60) => ({
    key,
    heartbeat,
    data: { setup, task: { name: key, job: { z: 1, a: [0.1] } }, token: "t" },
  });
  const take = async () => (await queue.take()) as TakenTask;
  const stateOf = async (id: string) => (await queue.states([id]))[0];
  /** Lets the heartbeat of all running tasks end. */
  const silence = async () => {
    await sleep(1100);
    await queue.expire();
  };

  it("hands out each task once, and returns its result as it was, fields in order", async () => {
    const ids = await queue.add([task("a"), task("b")]);
    const taken = [await take(), await take()];
    expect(await queue.take()).toBeUndefined();
    expect(taken.map(({ id }) => id).sort()).toEqual([...ids].sort());
    expect(taken.every(({ number, heartbeat }) => number === 1 && heartbeat === 60)).toBe(true);
    for (const one of taken) expect(await queue.complete(one, { z: 0.1, a: "x", m: null })).toBe(true);
    expect((await stateOf(ids[0])).result).toBe('{"z":0.1,"a":"x","m":null}');
    await queue.withdraw(ids);
    expect(await queue.states(ids)).toEqual([]);
  });

  it("keeps a task that waits or runs when it is added again, and replaces a finished one", async () => {
    const [first] = await queue.add([task("again")]);
    expect(await queue.add([task("again")])).toEqual([first]);
    const taken = await take();
    expect(await queue.add([task("again")])).toEqual([first]);
    await queue.fail(taken, "broken", true);
    expect(await stateOf(first)).toMatchObject({ state: "failed", message: "broken" });
    const [second] = await queue.add([task("again")]);
    expect(second).not.toBe(first);
    await queue.withdraw([second]);
  });

  it("a worker that was given up can neither report, fail nor give back what another has", async () => {
    const [id] = await queue.add([task("fenced", 1)]);
    const stale = await take();
    expect(await queue.beat(stale, 0.5)).toBe(true);
    expect((await stateOf(id)).share).toBe(0.5);
    await silence();
    expect(await queue.beat(stale)).toBe(false);
    const current = await take();
    expect([current.id, current.number]).toEqual([id, 2]);
    expect(await queue.beat(stale)).toBe(false);
    expect(await queue.complete(stale, "stale")).toBe(false);
    expect(await queue.fail(stale, "stale", true)).toBe(false);
    expect(await queue.handBack(stale, 0)).toBe(false);
    expect(await queue.complete(current, "current")).toBe(true);
    expect(await stateOf(id)).toMatchObject({ state: "completed", result: '"current"' });
  });

  it("a heartbeat keeps a task; three losses fail it", async () => {
    const [id] = await queue.add([task("lost", 1)]);
    const first = await take();
    await sleep(700);
    expect(await queue.beat(first)).toBe(true);
    await sleep(700);
    await queue.expire();
    expect((await stateOf(id)).state).toBe("active");
    for (const number of [2, 3]) {
      await silence();
      expect((await take()).number).toBe(number);
    }
    await silence();
    expect(await queue.take()).toBeUndefined();
    expect((await stateOf(id)).state).toBe("failed");
  });

  it("giving back does not count as a try, a failure does, and a final one is not tried again", async () => {
    const [id] = await queue.add([task("tries")]);
    for (let times = 0; times < 4; times++) {
      const taken = await take();
      expect(taken.number).toBe(1);
      expect(await queue.handBack(taken, 0, "cannot see")).toBe(true);
      expect(await stateOf(id)).toMatchObject({ state: "created", message: "cannot see" });
    }
    expect(await queue.fail(await take(), "once", false)).toBe(true);
    expect(await stateOf(id)).toMatchObject({ state: "retry", message: "once" });
    const second = await take();
    expect(second.number).toBe(2);
    expect(await queue.handBack(second, 0)).toBe(true);
    await queue.fail(await take(), "for good", true);
    expect(await stateOf(id)).toMatchObject({ state: "failed", message: "for good" });
  });

  it("a task that is withdrawn ends for its worker", async () => {
    const ids = await queue.add([task("withdrawn"), task("waiting")]);
    const taken = await take();
    await queue.withdraw(ids);
    expect(await queue.beat(taken)).toBe(false);
    expect(await queue.take()).toBeUndefined();
  });
});

describe.skipIf(!postgres)("the first opening of a queue", () => {
  const database = useDatabase();

  it("by eight processes at once makes the tables once, and fails for none", async () => {
    const url = parsePostgresUrl(database.url, { place: "--queue", expected: "" });
    for (let round = 0; round < 5; round++) {
      const opened = await Promise.allSettled(Array.from({ length: 8 }, () => TaskQueue.open(url)));
      const queues = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
      await Promise.all(queues.map((queue) => queue.close()));
      expect(opened.filter(({ status }) => status === "rejected")).toEqual([]);
      await database.query("DROP SCHEMA foldin_queue CASCADE");
    }
  });
});
