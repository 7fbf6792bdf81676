import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openMlflow } from "../../../../src/experiments/trackers/mlflow/mlflow.js";
import type { TrackedEnd, TrackedRun } from "../../../../src/experiments/trackers/tracker.js";
import { type FakeServer, mlflowServer } from "../../../support/mlflow-server.js";
import { epochRecord, trackedRun } from "../../../support/tracked.js";

const real = process.env.FOLDIN_TEST_MLFLOW;
if (!real)
  console.log("skipped: FOLDIN_TEST_MLFLOW names no MLflow server (scripts/with-trackers.sh starts one)");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "foldin-mlflow-"));
  mkdirSync(join(folder, "model"));
  writeFileSync(join(folder, "config.json"), "{}");
  writeFileSync(join(folder, "report.html"), "<p>report</p>");
  writeFileSync(join(folder, "model/model.safetensors"), Buffer.alloc(3_000_000, 7));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Followed {
  readonly run?: Partial<TrackedRun>;
  readonly epochs: readonly number[];
  readonly end?: TrackedEnd;
  /** Called between the epochs. */
  readonly between?: (epoch: number) => Promise<void> | void;
}

/** Follows a training; returns the notes, and the milliseconds of its epochs and of `close`. */
async function follow(url: string, { run, epochs, end = { state: "finished", folder }, between }: Followed) {
  const notes: string[] = [];
  const tracker = openMlflow(url, {
    ...{ onNote: (text: string) => notes.push(text), firstWait: 0.02 },
    ...{ experiment: "foldin test", env: {} },
  });
  tracker.begin(trackedRun({ folder, ...run }));
  let blocked = 0;
  for (const epoch of epochs) {
    const started = performance.now();
    tracker.epoch(epochRecord(epoch));
    blocked = Math.max(blocked, performance.now() - started);
    await between?.(epoch);
  }
  tracker.end(end);
  if (end.state === "finished") tracker.report({ folder, epoch: 2, metrics: { "test/ndcg@100": 0.25 } });
  const started = performance.now();
  await tracker.close();
  return { notes, blocked, closing: performance.now() - started };
}

const until = (holds: () => boolean) => expect.poll(holds, { timeout: 5_000, interval: 5 }).toBe(true);

describe("a run on a server", () => {
  let server: FakeServer;
  beforeEach(async () => {
    server = await mlflowServer();
  });
  afterEach(() => server.close());
  const only = () => {
    expect(server.runs.size).toBe(1);
    return [...server.runs.values()][0];
  };
  const steps = (key = "train/loss") =>
    only().metrics.flatMap((metric) => (metric.key === key ? [metric.step] : []));

  it("has the options, the values of each epoch, the test metrics, the model and the report", async () => {
    const { notes } = await follow(server.url, { epochs: [1, 2, 3] });
    expect(notes).toEqual([]);
    const { name, status, params, tags, metrics } = only();
    expect([name, status]).toEqual(["vae", "FINISHED"]);
    expect(params).toMatchObject({
      model: "mult-vae",
      hidden: "[600]",
      "weights.decay": "0.5",
      tied: "true",
      seed: "7",
    });
    expect(tags).toMatchObject({
      "mlflow.source.name": "foldin",
      "foldin.dataset": "demo",
      "foldin.version": "1.2.3",
    });
    expect(metrics).toContainEqual(expect.objectContaining({ key: "train/loss", value: 8, step: 2 }));
    expect(metrics).toContainEqual(
      expect.objectContaining({ key: "validation/ndcg_at_100", value: 0.375, step: 3 }),
    );
    expect(metrics).toContainEqual(
      expect.objectContaining({ key: "train/learning rate", value: 0.001, step: 1 }),
    );
    expect(metrics).toContainEqual(
      expect.objectContaining({ key: "test/ndcg_at_100", value: 0.25, step: 2 }),
    );
    const [[id]] = server.runs;
    const file = (path: string) => server.files.get(`1/${id}/artifacts/${path}`);
    expect(file("report.html")?.toString()).toBe("<p>report</p>");
    expect(
      file("model/model.safetensors")?.equals(readFileSync(join(folder, "model/model.safetensors"))),
    ).toBe(true);
  });

  it("is continued by a resumed training, each epoch once", async () => {
    await follow(server.url, { epochs: [1, 2, 3], end: { state: "stopped", message: "" } });
    expect(only().status).toBe("KILLED");
    await follow(server.url, {
      run: { resumed: true, earlier: [1, 2, 3].map((k) => epochRecord(k)) },
      epochs: [3, 4],
    });
    expect(steps()).toEqual([1, 2, 3, 4]);
    expect(only().status).toBe("FINISHED");
  });

  it("gets the earlier epochs of a training that was not followed", async () => {
    const other = mkdtempSync(join(tmpdir(), "foldin-mlflow-other-"));
    const run = { folder: other, resumed: true, earlier: [1, 2, 3].map((k) => epochRecord(k)) };
    await follow(server.url, { run, epochs: [3, 4] });
    expect(steps()).toEqual([1, 2, 3, 4]);
    rmSync(other, { recursive: true });
  });

  it("misses nothing and has nothing twice while the server fails now and then, and one line says so", async () => {
    let asked = 0;
    server.fault = (_, response) => {
      if (++asked % 3 !== 0) return false;
      response.statusCode = 500;
      response.end("oops");
      return true;
    };
    const lost = new Set<string>();
    // The run is created and the first values are stored, but the answers are lost.
    server.lose = (path) => {
      const isLost =
        !lost.has(path) &&
        (path.endsWith("runs/create") || (path.endsWith("log-batch") && steps().length > 0));
      if (isLost) lost.add(path);
      return isLost;
    };
    const { notes } = await follow(server.url, {
      epochs: [1, 2, 3, 4, 5, 6],
      between: (epoch) => until(() => server.runs.size > 0 && Math.max(0, ...steps()) >= epoch - 1),
    });
    expect(lost.size).toBe(2);
    expect(notes).toEqual([
      expect.stringMatching(/^warning: MLflow at http.*; training continues, and logging is tried again$/),
    ]);
    expect(steps()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it.each([
    [401, /the login is refused \(401\): check MLFLOW_TRACKING_USERNAME/],
    [403, /the login is refused \(403\)/],
    [400, /bad idea \(400\)/],
  ])("is given up after the answer %i, with one line", async (status, message) => {
    server.fault = (_, response) => {
      response.statusCode = status;
      response.end(JSON.stringify({ error_code: "X", message: "bad idea" }));
      return true;
    };
    const { notes, closing } = await follow(server.url, {
      epochs: [1, 2],
      between: () => until(() => server.requests > 0),
    });
    expect(notes).toEqual([expect.stringMatching(message)]);
    expect(server.requests).toBe(1);
    expect(closing).toBeLessThan(1_000);
  });

  it("is in the experiment that another training creates at the same time", async () => {
    server.fault = (path, response) => {
      if (!path.endsWith("experiments/create")) return false;
      server.experiments.set("foldin test", "7");
      response.statusCode = 400;
      response.end(JSON.stringify({ error_code: "RESOURCE_ALREADY_EXISTS", message: "already exists" }));
      return true;
    };
    const { notes } = await follow(server.url, { epochs: [1] });
    expect([notes, steps()]).toEqual([[], [1]]);
  });

  it("uses the login of the address", async () => {
    await follow(server.url.replace("//", "//me:word@"), { epochs: [1] });
    expect([...server.authorizations]).toEqual([`Basic ${Buffer.from("me:word").toString("base64")}`]);
  });

  it("keeps its values when a server does not store files itself", async () => {
    await server.close();
    server = await mlflowServer("s3://bucket");
    const { notes } = await follow(server.url, { epochs: [1] });
    expect(notes).toEqual([
      expect.stringMatching(/does not store files itself \(s3:.*\): model and report are not logged/),
    ]);
    expect([steps(), only().status]).toEqual([[1], "FINISHED"]);
  });
});

describe("a server that is not there", () => {
  it("costs a training one line at its beginning and one at its end", async () => {
    const gone = await mlflowServer();
    await gone.close();
    const { notes, blocked, closing } = await follow(gone.url.replace("//", "//me:hush-hush@"), {
      epochs: [1, 2],
      between: () => new Promise((done) => setTimeout(done, 50)),
    });
    expect(notes).toEqual([
      expect.stringMatching(/ECONNREFUSED.*logging is tried again$/),
      expect.stringMatching(
        /ECONNREFUSED.*not logged: 2 epochs, the model, the metrics of the evaluation, the report$/,
      ),
    ]);
    expect(notes.join()).not.toMatch(/hush/);
    expect(blocked).toBeLessThan(50);
    expect(closing).toBeLessThan(2_000);
  });

  it("does not hold up a training that is stopped, if it never answers", { timeout: 20_000 }, async () => {
    const silent = createServer();
    await new Promise<void>((listening) => silent.listen(0, "127.0.0.1", listening));
    const { port } = silent.address() as { port: number };
    const end = { state: "stopped", message: "" } as const;
    const { notes, closing } = await follow(`http://127.0.0.1:${port}`, { epochs: [1], end });
    expect(closing).toBeLessThan(4_500);
    expect(notes).toHaveLength(1);
    silent.close();
  });
});

describe.skipIf(!real)("a real MLflow server", () => {
  type Pairs = { key: string; value: unknown }[];
  interface Answer {
    readonly run: { info: { status: string; run_name: string }; data: { params: Pairs; metrics: Pairs } };
    readonly metrics: { step: number | string; value: number }[];
    readonly files: object[];
  }
  const get = async (path: string) => (await (await fetch(`${real}/api/2.0/${path}`)).json()) as Answer;

  it("has everything, each epoch once also after a resume", { timeout: 60_000 }, async () => {
    await follow(String(real), { epochs: [1, 2, 3], end: { state: "stopped", message: "" } });
    const { notes } = await follow(String(real), { run: { resumed: true, earlier: [] }, epochs: [3, 4] });
    expect(notes.join()).not.toContain("not logged");
    const { run: id } = JSON.parse(readFileSync(join(folder, "mlflow.json"), "utf8"));
    const { run } = await get(`mlflow/runs/get?run_id=${id}`);
    expect([run.info.status, run.info.run_name]).toEqual(["FINISHED", "vae"]);
    const values = (list: Pairs) => Object.fromEntries(list.map(({ key, value }) => [key, value]));
    expect(values(run.data.params)).toMatchObject({ hidden: "[600]", "dataset.users": "10", tied: "true" });
    expect(values(run.data.metrics)).toMatchObject({ "test/ndcg_at_100": 0.25, "train/loss": 6 });
    const { metrics } = await get(`mlflow/metrics/get-history?metric_key=train/loss&run_id=${id}`);
    expect(metrics.map(({ step, value }) => [Number(step), value])).toEqual(
      [1, 2, 3, 4].map((epoch) => [epoch, 10 - epoch]),
    );
    const { files } = await get(`mlflow/artifacts/list?path=model&run_id=${id}`);
    expect(files).toEqual([
      expect.objectContaining({ path: "model/model.safetensors", file_size: 3_000_000 }),
    ]);
  });
});
