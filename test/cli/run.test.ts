import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { type Register, required } from "../../src/cli/context.js";
import { run } from "../../src/cli/run.js";
import { AbortedError, UserError } from "../../src/core/errors.js";

/** Runs one command line against commands made for the test. */
async function foldin(args: string[], ...commands: Register[]) {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    streams[name].on("data", (chunk) => {
      text[name] += String(chunk);
    });
  const code = await run(
    args,
    commands,
    streams as unknown as { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream },
    new AbortController().signal,
  );
  return { code, ...text };
}

const train: Register = (program, context) => {
  program
    .command("train <dataset>")
    .option("--epochs <n>", "passes")
    .option("--out <run>", "folder")
    .option("--json", "JSON")
    .action((dataset: string, { out }: { out?: string }) =>
      context.json({ dataset, out: required(out, "--out <run>", "a folder for the run") }),
    );
};

function failing(error: unknown): Register {
  return (program) => {
    program.command("fail").action(() => {
      throw error;
    });
  };
}

describe("exit codes and messages", () => {
  it("0: the output of the command on stdout only", async () => {
    const { code, stdout, stderr } = await foldin(["train", "demo", "--out", "runs/a"], train);
    expect({ code, json: JSON.parse(stdout), stderr }).toEqual({
      code: 0,
      json: { dataset: "demo", out: "runs/a" },
      stderr: "",
    });
  });

  it("0: help and version on stdout", async () => {
    expect(await foldin(["--help"], train)).toMatchObject({ code: 0, stderr: "" });
    const { code, stdout } = await foldin(["--version"], train);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
  });

  it.each([
    [["trian"], "unknown command 'trian' (did you mean train?)"],
    [["train", "demo", "--epoch", "3"], "unknown option '--epoch' (did you mean --epochs?)"],
    [["train", "demo"], "option '--out <run>' is required. Give a folder for the run"],
    [["train"], "missing required argument 'dataset'"],
  ])("2: bad usage in one line: %j", async (args, message) => {
    expect(await foldin(args, train)).toEqual({ code: 2, stdout: "", stderr: `${message}\n` });
  });

  it("2: only the message of a UserError", async () => {
    const error = new UserError({
      place: "a.csv:3",
      problem: "rating is 'x'",
      expected: "a number",
      remedy: "Mend it.",
    });
    expect(await foldin(["fail"], failing(error))).toEqual({
      code: 2,
      stdout: "",
      stderr: "a.csv:3: rating is 'x' (expected a number). Mend it.\n",
    });
  });

  it("1: an internal error, without a stack trace", async () => {
    const { code, stderr } = await foldin(["fail"], failing(new TypeError("x is not a function")));
    expect([code, stderr]).toEqual([
      1,
      "foldin failed: x is not a function (set FOLDIN_DEBUG=1 to see the stack trace)\n",
    ]);
  });

  it("130: stopped on request", async () => {
    expect(await foldin(["fail"], failing(new AbortedError()))).toMatchObject({
      code: 130,
      stderr: "stopped on request\n",
    });
  });
});
