import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { curvesAnswer, folderAnswer } from "../../src/studio/api.js";
import { createStudio } from "../../src/studio/server.js";
import { writeManifest, writeRun } from "../support/run-folders.js";

const root = mkdtempSync(join(tmpdir(), "foldin-studio-"));
const page = mkdtempSync(join(tmpdir(), "foldin-page-"));
let studio: Awaited<ReturnType<typeof createStudio>>;

beforeAll(async () => {
  writeRun(join(root, "runs", "vae"), { epochs: 5 });
  writeRun(join(root, "runs", "dae"), { model: "mult-dae", epochs: 2, finished: false });
  writeManifest(join(root, "films"));
  writeFileSync(join(root, "secret.html"), "secret");
  mkdirSync(join(page, "assets"));
  writeFileSync(join(page, "index.html"), "<!doctype html><title>page</title>");
  writeFileSync(join(page, "assets", "index-123.js"), "1;");
  studio = await createStudio({ folder: root, page });
});
afterAll(async () => {
  await studio.close();
  for (const folder of [root, page]) rmSync(folder, { recursive: true });
});

const get = (url: string, headers: Record<string, string> = {}) =>
  studio.app.inject({ method: "GET", url, headers: { host: "localhost:8090", ...headers } });

describe("the studio's server", () => {
  it("answers with the runs and datasets of the folder, as its schema says", async () => {
    const response = await get("/api/folder");
    const answer = folderAnswer.parse(response.json());
    expect(answer.runs.map(({ id }) => id)).toEqual(["runs/dae", "runs/vae"]);
    expect(answer.datasets.map(({ id }) => id)).toEqual(["films"]);
  });

  it("answers 304 to a page that has the answer already", async () => {
    const { headers } = await get("/api/folder");
    const again = await get("/api/folder", { "if-none-match": String(headers.etag) });
    expect([again.statusCode, again.body]).toEqual([304, ""]);
  });

  it("answers with the curves of several runs", async () => {
    const response = await get("/api/curves?run=runs/vae&run=runs/dae");
    const { curves } = curvesAnswer.parse(response.json());
    expect(curves.map(({ id, chosen, epochs }) => [id, chosen, epochs.length])).toEqual([
      ["runs/vae", 5, 5],
      ["runs/dae", 2, 2],
    ]);
    expect(curves[0].epochs.at(-1)?.seconds).toBe(10);
    expect(Object.keys(curves[0].epochs[0].values)).toEqual(["loss", "validation ndcg@100"]);
  });

  it("names what is wrong with a request", async () => {
    const detail = async (url: string) => {
      const response = await get(url);
      return `${response.statusCode} ${response.json().detail}`;
    };
    expect(await detail("/api/curves")).toMatch(/^400 query\.run: /);
    expect(await detail("/api/curves?run=a&x=1")).toMatch(/^400 query\.x: /);
    expect(await detail("/api/curves?run=nothing")).toBe(`404 there is no run nothing in ${root}`);
    expect(await detail(`/api/curves?${"run=runs/vae&".repeat(21)}`)).toBe("400 query.run: at most 20 runs");
    expect(await detail("/api/other")).toBe("404 there is no route GET /api/other");
  });

  it("does not send the message of an internal error, which the terminal shows", async () => {
    const messages: string[] = [];
    const other = await createStudio({
      folder: root,
      page,
      onError: ({ message }) => messages.push(message),
    });
    other.catalogue.look = () => Promise.reject(new Error("a secret"));
    const response = await other.app.inject({ url: "/api/folder", headers: { host: "localhost" } });
    expect([response.statusCode, response.json().detail]).toEqual([
      500,
      "internal error; the terminal of foldin studio shows it",
    ]);
    expect(messages).toEqual(["a secret"]);
    await other.close();
  });

  it("shows a report without scripts, and no file outside a run", async () => {
    const response = await get("/report?run=runs/vae");
    expect(response.body).toContain("report of mult-vae");
    expect(response.headers["content-security-policy"]).toMatch(/^sandbox; default-src 'none'/);
    expect((await get("/report?run=runs/dae")).statusCode).toBe(404);
    for (const run of ["..", "../..", ".", "runs", "runs/vae/../vae", root])
      expect([run, (await get(`/report?run=${encodeURIComponent(run)}`)).statusCode]).toEqual([run, 404]);
  });

  it("serves the built page and nothing else", async () => {
    const index = await get("/");
    expect(index.headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(index.body).toContain("<title>page</title>");
    expect((await get("/assets/index-123.js")).headers["cache-control"]).toContain("immutable");
    for (const url of ["/secret.html", "/../secret.html", "/assets/..%2f..%2fsecret.html", "/assets"])
      expect([url, (await get(url)).statusCode]).toEqual([url, 404]);
  });
});

describe("the studio's guards", () => {
  it("allow only the page's own files and requests, in every answer", async () => {
    for (const url of ["/", "/api/folder", "/nothing"]) {
      const { headers } = await get(url);
      expect(headers["content-security-policy"]).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self'; /,
      );
      expect(headers["content-security-policy"]).not.toMatch(/unsafe|\*|http/);
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
  });

  it("refuse a request for another host: DNS rebinding", async () => {
    for (const host of ["evil.example", "evil.example:8090", "localhost.evil.example", "10.0.0.1"])
      expect([host, (await get("/api/folder", { host })).statusCode]).toEqual([host, 421]);
    for (const host of ["localhost", "127.0.0.1:8090", "[::1]:8090"])
      expect([host, (await get("/api/folder", { host })).statusCode]).toEqual([host, 200]);
  });

  it("refuse requests from other pages, also of this machine, but not a link to the studio", async () => {
    const status = async (site: string, mode: string) =>
      (await get("/api/folder", { "sec-fetch-site": site, "sec-fetch-mode": mode })).statusCode;
    expect(await status("cross-site", "cors")).toBe(403);
    expect(await status("cross-site", "no-cors")).toBe(403);
    expect(await status("same-site", "cors")).toBe(403);
    expect(await status("same-origin", "cors")).toBe(200);
    expect(await status("none", "navigate")).toBe(200);
    const link = await get("/", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" });
    expect(link.statusCode).toBe(200);
  });

  it("refuse a request that changes something unless it comes from the studio's own page", async () => {
    const post = async (origin: string | undefined) => {
      const headers = { host: "localhost:8090", ...(origin !== undefined && { origin }) };
      return (await studio.app.inject({ method: "POST", url: "/api/folder", headers })).statusCode;
    };
    expect(await post(undefined)).toBe(403);
    expect(await post("null")).toBe(403);
    expect(await post("http://localhost:3000")).toBe(403);
    // There is no such route; the guard lets the request pass.
    expect(await post("http://localhost:8090")).toBe(404);
  });
});

describe("createStudio", () => {
  it("says how to build a page that is missing", async () => {
    await expect(createStudio({ folder: root, page: join(root, "none") })).rejects.toThrow(/npm run build/);
  });

  it("refuses a folder that does not exist", async () => {
    await expect(createStudio({ folder: join(root, "none"), page })).rejects.toThrow(/does not exist/);
  });
});
