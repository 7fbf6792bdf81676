import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
// @ts-expect-error: scripts are plain JavaScript.
import * as licences from "../scripts/licences.mjs";
// @ts-expect-error: scripts are plain JavaScript.
import { hashes, offersKeys } from "../scripts/signatures.mjs";

const notices = readFileSync(licences.noticesFile, "utf8");
const root = resolve(import.meta.dirname, "..");
const metadata = [
  "metadata",
  "--format-version",
  "1",
  "--locked",
  "--manifest-path",
  `${root}/native/Cargo.toml`,
];
const missing = spawnSync("cargo", metadata, { stdio: "ignore" }).status !== 0;
if (missing) console.log("skipped: the licences of Rust crates: cargo, or the crates' sources, are missing");

describe("THIRD_PARTY_LICENSES.md", () => {
  it("lists the npm packages of the lock file (npm run licences:update)", () => {
    expect(notices).toContain(licences.npmSection());
    expect(licences.npmPackages().length).toBeGreaterThan(100);
  });

  it("lists the linked Rust crates, with their texts (npm run licences:update)", { skip: missing }, () => {
    const found = licences.crates();
    expect(notices.endsWith(`\n${licences.rustSection(found)}\n`)).toBe(true);
    expect(found.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(["gemm-f32", "napi", "rayon"]),
    );
    expect(licences.refused(found)).toEqual([]);
  });

  it("lists the packages in the studio's page, whose texts are shipped with it", () => {
    const bundled: { name: string; text: string }[] = licences.pagePackages();
    expect(bundled.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["preact", "vega", "vega-interpreter"]),
    );
    expect(bundled.filter(({ text }) => text.length < 200).map(({ name }) => name)).toEqual([]);
    expect(licences.refused(bundled)).toEqual([]);
    expect(notices).toContain(licences.pageSection());
  });

  it("has only allowed licences", () => {
    const rows = [...notices.matchAll(/^\| (\S+) \| (\S+) \| ([^|]+) \|$/gm)]
      .map(([, name, version, licence]) => ({ name, version, licence }))
      .filter(({ name }) => name !== "---" && name !== "name");
    expect(rows.length).toBeGreaterThan(150);
    expect(licences.refused(rows)).toEqual([]);
  });
});

describe("a licence", () => {
  it.each([
    ["MIT", true],
    ["MIT/Apache-2.0", true],
    ["GPL-3.0-only OR MIT", true],
    ["GPL-3.0-only AND MIT", false],
    ["(MIT OR Apache-2.0) AND Unicode-3.0", true],
    ["(MIT OR Apache-2.0) AND GPL-2.0-only", false],
    ["LGPL-3.0-or-later", false],
    ["unknown", false],
    ["", false],
    ["SEE LICENSE IN LICENSE", false],
  ])("of %s is allowed: %s", (expression, expected) => {
    expect(licences.isAllowed(expression, "some-package")).toBe(expected);
  });

  it("of the LGPL is allowed for the shared libraries of sharp", () => {
    expect(licences.isAllowed("LGPL-3.0-or-later", "@img/sharp-libvips-linux-x64")).toBe(true);
  });
});

describe("signatures", () => {
  async function answering(status: number, body: string): Promise<unknown> {
    const server = createServer((_request, response) => response.writeHead(status).end(body));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    try {
      return await offersKeys(`http://127.0.0.1:${(server.address() as AddressInfo).port}/npm`);
    } finally {
      server.close();
    }
  }

  it("can be checked only where the registry has keys", async () => {
    expect(await answering(200, '{"keys":[{"keyid":"a"}]}')).toBe(true);
    expect(await answering(200, '{"keys":[]}')).toBe("it has no signing keys");
    expect(await answering(404, "")).toBe("it answers 404 when asked for its signing keys");
    const closed = createServer();
    await new Promise<void>((done) => closed.listen(0, "127.0.0.1", done));
    const { port } = closed.address() as AddressInfo;
    await new Promise((done) => closed.close(done));
    expect(await offersKeys(`http://127.0.0.1:${port}/`)).toBe(
      "it cannot be asked for its signing keys (ECONNREFUSED)",
    );
  });

  it("stand next to integrity hashes of every package", () => {
    const [packages, hashed] = hashes().match(/\d+/g)?.map(Number) ?? [];
    expect(packages).toBe(hashed);
  });
});
