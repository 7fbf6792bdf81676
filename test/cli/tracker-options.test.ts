// foldin train --tensorboard --mlflow, as a user runs it.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldin } from "../support/foldin.js";
import { mlflowServer } from "../support/mlflow-server.js";

let home: string;
let data: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "foldin-trackers-"));
  data = join(home, "demo");
  await foldin(["prepare", "demo", "--out", data]);
}, 60_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

const train = (name: string, more: readonly string[], env: Record<string, string> = {}) =>
  foldin(
    [
      "train",
      data,
      "--model",
      "mult-dae",
      "--epochs",
      "2",
      "--set",
      "hidden=8",
      "--out",
      join(home, name),
      ...more,
    ],
    { env },
  );

describe("a training with trackers", { timeout: 60_000 }, () => {
  it("logs to the server of MLFLOW_TRACKING_URI with its login, and writes event files under the name of the run", async () => {
    const server = await mlflowServer();
    const env = {
      ...{ MLFLOW_TRACKING_URI: server.url, MLFLOW_EXPERIMENT_NAME: "films" },
      ...{ MLFLOW_TRACKING_USERNAME: "me", MLFLOW_TRACKING_PASSWORD: "hush-hush" },
    };
    const { code, stdout, stderr } = await train(
      "followed",
      ["--mlflow", "--tensorboard", join(home, "logs/all")],
      env,
    );
    await server.close();
    expect([code, `${stdout}${stderr}`.match(/hush|warning/)]).toEqual([0, null]);
    const [run] = [...server.runs.values()];
    expect([run.name, run.status, run.params.epochs]).toEqual(["followed", "FINISHED", "2"]);
    expect(new Set(run.metrics.map(({ key }) => key))).toContain("test/ndcg_at_100");
    const files = [...server.files.keys()].map((path) => path.replace(/.*artifacts\//, ""));
    expect(files).toEqual(expect.arrayContaining(["report.html", "config.json", "model/model.safetensors"]));
    expect([...server.authorizations]).toEqual([`Basic ${Buffer.from("me:hush-hush").toString("base64")}`]);
    expect(readdirSync(join(home, "logs/all/followed"))).toHaveLength(1);
  });

  it("is each point of a search, without models", async () => {
    const server = await mlflowServer();
    const out = join(home, "search");
    const { code, stderr } = await foldin([
      ...[
        "search",
        data,
        "--model",
        "mult-dae",
        "--grid",
        "dropout=0.3,0.5",
        "--set",
        "hidden=8",
        "--epochs",
        "2",
      ],
      ...["--jobs", "2", "--out", out, "--mlflow", server.url, "--tensorboard", join(home, "logs/search")],
    ]);
    await server.close();
    expect([code, stderr.match(/warning/)]).toEqual([0, null]);
    const runs = [...server.runs.values()];
    expect(runs.map(({ params, status }) => [params.dropout, status]).sort()).toEqual([
      ["0.3", "FINISHED"],
      ["0.5", "FINISHED"],
    ]);
    for (const { metrics } of runs) {
      const keys = metrics.map(({ key, step }) => `${key} ${step}`);
      expect(keys).toEqual(
        expect.arrayContaining([
          "train/loss 1",
          "train/loss 2",
          expect.stringMatching(/^validation\/recall_at_20/),
        ]),
      );
      expect(new Set(keys).size).toBe(keys.length);
    }
    expect(server.files.size).toBe(0);
    expect(readdirSync(join(home, "logs/search")).sort()).toEqual(runs.map(({ name }) => name).sort());
  });

  it("succeeds without its server, and says so without the password", async () => {
    const server = await mlflowServer();
    await server.close();
    const { code, stdout, stderr } = await train("alone", [
      "--mlflow",
      server.url.replace("//", "//me:hush-hush@"),
    ]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/warning: MLflow at http:\/\/127.*ECONNREFUSED/);
    expect(`${stdout}${stderr}`).not.toContain("hush");
  });

  it.each([
    [["--mlflow"], { MLFLOW_TRACKING_URI: "" }, /--mlflow: no server is given/],
    [["--mlflow", "sqlite:///runs.db"], {}, /--mlflow: sqlite: addresses are not supported/],
    [["--tensorboard", "/dev/null/logs"], {}, /\/dev\/null: is a file/],
  ])("is refused with %j before anything is trained", async (more, env, message) => {
    const { code, stderr } = await train("refused", more, env);
    expect([code, stderr.trim().split("\n").length]).toEqual([2, 1]);
    expect(stderr).toMatch(message);
    expect(readdirSync(home)).not.toContain("refused");
  });
});
