// Commands with --queue and their workers, as a user meets them: stopped, cut off, given up, of another version, with passwords.
// Needs a PostgreSQL server, given by FOLDIN_TEST_POSTGRES (scripts/with-postgres.sh starts one).

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { parsePostgresUrl } from "../../src/core/postgres-url.js";
import { TaskQueue } from "../../src/tasks/postgres/task-queue.js";
import { clusterFolder, HEARTBEAT, small, succeed, tableOf, worker } from "../support/cluster.js";
import { foldin, start } from "../support/foldin.js";
import { postgres, useDatabase } from "../support/postgres.js";
import { realData } from "../support/real-data.js";

describe.skipIf(!postgres)("foldin with --queue", () => {
  const database = useDatabase();
  let folder: string;
  /** A search of one long training, or of two. */
  const long = (out: string, dropout = "0.2", epochs = 40) => [
    ...[
      "search",
      "dataset",
      ...small,
      "--epochs",
      String(epochs),
      "--grid",
      `dropout=${dropout}`,
      "--out",
      out,
    ],
    ...["--checkpoint-seconds", "0", "--keep-models"],
  ];
  const queued = (args: readonly string[], queue = database.url) =>
    start([...args, "--queue", queue, ...HEARTBEAT], { cwd: folder });
  const pointsOf = (out: string) => readdirSync(join(folder, out, "points")).sort();
  const model = (out: string) => {
    const [key] = pointsOf(out);
    return readFileSync(join(folder, out, "points", key, "model/model.safetensors"));
  };
  const hasCheckpoint = (out: string) =>
    existsSync(join(folder, out, "points")) &&
    pointsOf(out).some((key) =>
      existsSync(join(folder, out, "points", key, "checkpoint/checkpoint.safetensors")),
    );
  const untilCheckpoint = async (out: string) => {
    for (let tries = 0; tries < 1200 && !hasCheckpoint(out); tries++) await sleep(25);
    expect(hasCheckpoint(out)).toBe(true);
  };

  beforeAll(async () => {
    folder = await clusterFolder();
    await succeed(foldin(long("local"), { cwd: folder }));
  });

  it("a worker that is wrongly given up cannot damage the run: waking up, it stops and leaves it to the other", async () => {
    const sleeper = worker(database.url, folder);
    const running = queued(long("woken"));
    let other: ReturnType<typeof worker> | undefined;
    try {
      await untilCheckpoint("woken");
      sleeper.send("SIGSTOP");
      other = worker(database.url, folder);
      await other.says(/started .* \(try 2 of 3\)/);
      // It wakes up while the other one trains, and again sees its own folder as it left it, or not at all.
      sleeper.send("SIGCONT");
      await sleeper.says(/this attempt was given up/);
      await succeed(running.outcome);
      expect(sleeper.said).not.toMatch(/finished/);
    } finally {
      await sleeper.stop();
      await other?.stop();
    }
    expect(model("woken").equals(model("local"))).toBe(true);
    expect(pointsOf("woken")).toEqual(pointsOf("local"));
    expect(tableOf(join(folder, "woken"))).toBe(tableOf(join(folder, "local")));
  });

  it("does the trainings of foldin tune, which resume at their next rung on any worker, with the same result", async () => {
    const tuning = [
      ...["tune", "dataset", "--models", "popularity,ease,mult-dae", "--trials", "5"],
      ...["--engine", "reference"],
    ];
    const trials = (out: string) =>
      JSON.parse(readFileSync(join(folder, out, "trials.json"), "utf8")).trials.map(
        ({ seconds: _, ...trial }: { seconds: number }) => trial,
      );
    await succeed(foldin([...tuning, "--out", "tuned-here"], { cwd: folder }));
    const workers = [worker(database.url, folder), worker(database.url, folder)];
    try {
      await succeed(queued([...tuning, "--out", "tuned"]).outcome);
    } finally {
      for (const one of workers) await one.stop();
    }
    expect(trials("tuned")).toEqual(trials("tuned-here"));
  });

  it("a task that ends its process fails after three tries, and the others are done", async () => {
    // The process has one listener for messages; one that was there before it would take the setup away from it.
    const preload = `if (process.argv[1]?.endsWith("worker/process.js")) {
      const { on } = process;
      process.on = (name, listener) => on.call(process, name, (message, ...more) => {
        if (message?.task?.name.startsWith("dropout=0.6")) process.kill(process.pid, "SIGKILL");
        listener(message, ...more);
      });
    }`;
    const options = `--import "data:text/javascript,${encodeURIComponent(preload)}"`;
    const one = worker(database.url, folder, { env: { NODE_OPTIONS: options } });
    const running = queued([...long("poisoned", "0.2,0.6", 2), "--json"]);
    const { stdout, stderr } = await succeed(running.outcome).finally(() => one.stop());
    const { points } = JSON.parse(stdout) as { points: { state: string; message?: string }[] };
    expect(points.map(({ state }) => state)).toEqual(["done", "failed"]);
    expect(points[1].message).toMatch(/^the worker was terminated by SIGKILL/);
    expect(stderr).toMatch(/dropout=0.6: failed: the worker was terminated/);
    expect(one.said.match(/started dropout=0.6/g)).toHaveLength(3);
  });

  it("stopped by Ctrl-C, it withdraws its tasks; started again, it goes on from their checkpoints", async () => {
    const one = worker(database.url, folder);
    try {
      const first = queued(long("stopped"));
      await untilCheckpoint("stopped");
      first.process.kill("SIGINT");
      const { code, stderr } = await first.outcome;
      expect(code, stderr).toBe(130);
      expect(stderr).toMatch(/to resume: the same command again/);
      await one.says(/given up or withdrawn; stopped/);
      await succeed(queued(long("stopped")).outcome);
    } finally {
      await one.stop();
    }
    expect(model("stopped").equals(model("local"))).toBe(true);
  });

  it("killed, it leaves its tasks to the workers; started again, it follows them", async () => {
    const one = worker(database.url, folder);
    try {
      const first = queued(long("orphaned"));
      await untilCheckpoint("orphaned");
      first.process.kill("SIGKILL");
      await first.outcome;
      await succeed(queued(long("orphaned")).outcome);
      expect(one.said.match(/started/g)).toHaveLength(1);
    } finally {
      await one.stop();
    }
    expect(model("orphaned").equals(model("local"))).toBe(true);
  });

  it("a worker that is stopped gives its task back, which does not count as a try", async () => {
    const first = worker(database.url, folder);
    const running = queued(long("handed"));
    await untilCheckpoint("handed");
    first.child.kill("SIGTERM");
    expect(await first.ended).toBe(143);
    expect(first.said).toMatch(/stopped, and given back to the queue/);
    const second = worker(database.url, folder, { more: ["--idle", "1"] });
    await succeed(running.outcome);
    expect(await second.ended).toBe(0);
    expect(second.said).not.toMatch(/try 2/);
    expect(model("handed").equals(model("local"))).toBe(true);
  });

  it("goes on after the database was away, and says so in one line each", async () => {
    const proxy = await proxyTo(new URL(database.url));
    const one = worker(proxy.url, folder);
    const running = queued(long("away"), proxy.url);
    try {
      await untilCheckpoint("away");
      await proxy.down();
      await sleep(2500);
      await proxy.up();
      const { stderr } = await succeed(running.outcome);
      for (const text of [stderr, one.said]) {
        expect(text.match(/does not answer/g)).toHaveLength(1);
        expect(text.match(/answers again/g)).toHaveLength(1);
      }
    } finally {
      await one.stop();
      await proxy.down();
    }
    expect(model("away").equals(model("local"))).toBe(true);
  });

  it("a worker that does not see the folder, or another one in its place, leaves the task to others", async () => {
    const running = queued(long("unseen", "0.2", 2));
    const marker = join(folder, "unseen", ".foldin-queue");
    for (let tries = 0; tries < 1200 && !existsSync(marker); tries++) await sleep(25);
    const token = readFileSync(marker);
    writeFileSync(marker, "another\n");
    const one = worker(database.url, folder);
    try {
      await one.says(/has another folder at .*unseen; mount it here, at the same path/);
      writeFileSync(marker, token);
      const { stderr } = await succeed(running.outcome);
      expect(stderr).toMatch(/worker \S+ has another folder at/);
      expect(one.said.match(/has another folder/g)).toHaveLength(1);
    } finally {
      await one.stop();
    }
  });

  it("leaves the tasks of other versions, and says which", async () => {
    const url = parsePostgresUrl(database.url, { place: "--queue", expected: "" });
    const queue = await TaskQueue.open(url, "foldin-99.0.0");
    const setup = { kind: "point", folder, setup: {} } as const;
    const data = { setup, task: { name: "later", job: {} }, token: "" };
    const [id] = await queue.add([{ key: "later", data, heartbeat: 60 }]);
    const one = worker(database.url, folder);
    try {
      await one.says(/tasks of foldin 99.0.0 wait in this queue; this worker is foldin \S+ and leaves them/);
    } finally {
      await one.stop();
      await queue.withdraw([id]);
      await queue.close();
    }
  });

  it("says how to start a worker when there is none", async () => {
    const running = queued(long("alone", "0.2", 2));
    let said = "";
    running.process.stderr?.on("data", (text: string) => {
      said += text;
    });
    for (let tries = 0; tries < 1200 && !/no worker takes/.test(said); tries++) await sleep(25);
    expect(said).toMatch(
      /no worker takes the tasks of foldin \S+: start some with foldin worker --queue postgres:/,
    );
    running.process.kill("SIGINT");
    await running.outcome;
  });

  it("never shows a password: not in messages, in files, in the queue or in the list of processes", async () => {
    const secret = "s3cr3t-of-the-queue";
    const role = `worker_${Date.now()}`;
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD '${secret}'`);
    await database.query(`GRANT ALL ON DATABASE ${new URL(database.url).pathname.slice(1)} TO ${role}`);
    await database.query(`GRANT ALL ON SCHEMA foldin_queue TO ${role}`);
    await database.query(`GRANT ALL ON ALL TABLES IN SCHEMA foldin_queue TO ${role}`);
    const url = new URL(database.url);
    url.username = role;
    url.password = secret;
    writeFileSync(join(folder, `${role}.url`), `${url.href}\n`);
    const address = `@${join(folder, `${role}.url`)}`;
    const env = { FOLDIN_QUEUE: url.href };
    const one = worker("env", folder, { env });
    const running = queued(long("secret"), address);
    try {
      await untilCheckpoint("secret");
      for (const id of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        const read = (file: string) => {
          try {
            return readFileSync(join("/proc", id, file), "utf8");
          } catch {
            return "";
          }
        };
        const command = read("cmdline");
        expect(command).not.toContain(secret);
        // The process that does the task has no use for the database.
        if (command.includes("worker/process.js")) expect(read("environ")).not.toContain(secret);
      }
      const jobs = await database.query("SELECT row_to_json(j)::text AS text FROM foldin_queue.job j");
      expect(jobs.rows.length).toBeGreaterThan(0);
      for (const { text } of jobs.rows) expect(text).not.toContain(secret);
      const { stdout, stderr } = await succeed(running.outcome);
      expect(stdout + stderr + one.said).not.toContain(secret);
    } finally {
      await one.stop();
      await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
    for (const name of readdirSync(join(folder, "secret"), { recursive: true, encoding: "utf8" }))
      if (/\.(json|csv|html|jsonl)$/.test(name))
        expect(readFileSync(join(folder, "secret", name), "utf8")).not.toContain(secret);
  });

  it.each([
    [["--queue", "postgres://me:hunter22@host/x"], /^--queue: the URL contains a password, .*--queue @file/],
    [["--queue", "mysql://host/x"], /^--queue: is not the URL of a PostgreSQL database/],
    [["--queue", "@nowhere.url"], /^nowhere\.url: .*there is no such file/],
    [["--queue", "env"], /^--queue env: FOLDIN_QUEUE is not set/],
    [
      ["--queue", "postgres://me@127.0.0.1:1/x"],
      /^postgres:\/\/me@127\.0\.0\.1:1\/x: the queue cannot be opened: .*ECONNREFUSED/,
    ],
  ])("refuses %j with one clear line", async (flags, message) => {
    for (const args of [long("refused"), ["worker"]]) {
      const { code, stderr } = await foldin([...args, ...flags], { cwd: folder, env: { FOLDIN_QUEUE: "" } });
      expect(code).toBe(2);
      expect(stderr).toMatch(message);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(stderr).not.toContain("hunter22");
    }
  });

  it("refuses options that belong to the workers, and a database without rights", async () => {
    const { code, stderr } = await foldin([...long("refused"), "--queue", database.url, "--jobs", "2"], {
      cwd: folder,
    });
    expect([code, stderr.trim()]).toEqual([
      2,
      "--jobs: cannot be used with --queue. Set --jobs of each foldin worker",
    ]);
    const role = `nobody_${Date.now()}`;
    await database.query(`CREATE ROLE ${role} LOGIN`);
    const empty = `empty_${Date.now()}`;
    await database.query(`CREATE DATABASE ${empty}`);
    const url = new URL(database.url);
    url.username = role;
    url.pathname = `/${empty}`;
    const refused = await foldin(["worker", "--queue", url.href], { cwd: folder });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/permission denied for database .*GRANT CREATE ON DATABASE/);
    await database.query(`DROP DATABASE ${empty} WITH (FORCE)`);
    await database.query(`DROP ROLE ${role}`);
  });

  const raw = realData("ml-1m");
  it.skipIf(raw === undefined)("reproduces a preset with the numbers of one machine", async () => {
    const args = ["reproduce", "keras-notebook-v2", "--data", String(raw), "--epochs", "1", "--seeds", "1"];
    await succeed(foldin([...args, "--out", "here"], { cwd: folder }));
    const one = worker(database.url, folder);
    const running = queued([...args, "--out", "there"]);
    const { stderr } = await succeed(running.outcome).finally(() => one.stop());
    expect(stderr).toMatch(/1 of \d+: /);
    const numbers = (out: string) =>
      readFileSync(join(folder, out, "results.json"), "utf8").replace(
        /"(seconds|validationSeconds)": [\d.e-]+/g,
        "",
      );
    expect(numbers("there")).toBe(numbers("here"));
  });
});

/** A way to the database that can be closed and opened. */
async function proxyTo(target: URL) {
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;
  const up = () =>
    new Promise<void>((listening) => {
      const opened = createServer((near) => {
        const far = connect(Number(target.port), target.hostname);
        for (const [one, two] of [
          [near, far],
          [far, near],
        ]) {
          sockets.add(one);
          one.on("error", () => two.destroy()).on("close", () => two.destroy());
          one.pipe(two);
        }
      });
      server = opened.listen(port, "127.0.0.1", () => {
        port = (opened.address() as { port: number }).port;
        listening();
      });
    });
  await up();
  const url = new URL(target.href);
  url.port = String(port);
  return {
    url: url.href,
    up,
    down: () =>
      new Promise<void>((closed) => {
        server?.close(() => closed());
        for (const socket of sockets) socket.destroy();
        sockets.clear();
      }),
  };
}
