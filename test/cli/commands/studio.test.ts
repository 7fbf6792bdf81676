import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldin, start } from "../../support/foldin.js";
import { writeManifest, writeRun } from "../../support/run-folders.js";

const root = mkdtempSync(join(tmpdir(), "foldin-studio-"));
beforeAll(() => {
  writeRun(join(root, "vae"));
  writeManifest(join(root, "films"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("foldin studio", () => {
  it("serves the page and the folder until it is stopped", async () => {
    const program = start(["studio", "--port", "0"], { cwd: root });
    const said = await new Promise<string>((done) => {
      let text = "";
      program.process.stderr?.on("data", (piece: string) => {
        text += piece;
        if (text.includes("http://")) done(text);
      });
    });
    expect(said).toMatch(/^studio of .*\(1 run, 1 dataset\) at http:\/\/127\.0\.0\.1:\d+\n$/);
    const [address] = /http:\/\/\S+/.exec(said) ?? [];
    const page = await (await fetch(`${address}/`)).text();
    expect(page).toContain("<title>foldin studio</title>");
    const answer = (await (await fetch(`${address}/api/folder`)).json()) as { runs: { id: string }[] };
    expect(answer.runs.map(({ id }) => id)).toEqual(["vae"]);
    program.process.kill("SIGINT");
    expect((await program.outcome).code).toBe(0);
  });

  it("names what is wrong with its arguments", async () => {
    const { stderr: missing, code } = await foldin(["studio", "nothing"], { cwd: root });
    expect(missing).toMatch(
      /nothing: the folder does not exist \(expected a folder with datasets and runs\)/,
    );
    expect(code).toBe(2);
    writeFileSync(join(root, "file"), "");
    expect((await foldin(["studio", "file"], { cwd: root })).stderr).toMatch(/file: is a file/);
    expect((await foldin(["studio", "--port", "70000"], { cwd: root })).stderr).toMatch(
      /--port: must be from 0 to 65535; got 70000/,
    );
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((done) => taken.once("listening", done));
    const { port } = taken.address() as AddressInfo;
    expect((await foldin(["studio", "--port", String(port)], { cwd: root })).stderr).toMatch(
      /the port is in use \(EADDRINUSE\)\. Choose another --port/,
    );
    taken.close();
  });
});
