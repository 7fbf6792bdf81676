import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../../src/core/errors.js";
import { parseAllowedHost, parseHost } from "../../../src/serving/server/hosts.js";
import { parseProxies } from "../../../src/serving/server/proxies.js";
import { rawClient } from "../../support/raw-client.js";
import { served } from "../../support/served.js";

describe("a Host header", () => {
  it.each([
    ["localhost", "localhost", undefined],
    ["LocalHost:8080", "localhost", "8080"],
    ["recs.example.com.", "recs.example.com", undefined],
    ["[::1]:80", "::1", "80"],
    ["[0:0:0:0:0:0:0:1]", "::1", undefined],
    ["bücher.example", "xn--bcher-kva.example", undefined],
    ["BÜCHER.example:1", "xn--bcher-kva.example", "1"],
    ["127.0.0.1", "127.0.0.1", undefined],
  ])("%s is %s", (text, name, port) => {
    expect(parseHost(text)).toEqual({ name, port });
  });

  it.each([
    "",
    " ",
    "a b",
    "user@host",
    "host/path",
    "host?",
    "host#",
    "[::1",
    "::1",
    "a:b",
    "host:123456",
    "a\\b",
    "%6c",
  ])("%j is not valid", (text) => {
    expect(parseHost(text)).toBeUndefined();
  });
});

describe("--allow-host", () => {
  it.each([
    "https://recs.example.com",
    "recs.example.com/path",
    "",
    "*",
    "*.*",
    "a.*.b",
    "*.127.0.0.1",
    "a b",
  ])("refuses %j", (text) => {
    expect(() => parseAllowedHost(text)).toThrow(UserError);
    expect(() => parseAllowedHost(text)).toThrow(/--allow-host.*is not a valid host/);
  });
});

describe("--trust-proxy", () => {
  it("accepts addresses, networks and named ranges", () => {
    const good = ["10.0.0.5", "10.0.0.0/8", "::1", "fd00::/8", "loopback"];
    expect(parseProxies([...good, "127.0.0.1, uniquelocal"])).toEqual([...good, "127.0.0.1", "uniquelocal"]);
  });

  it.each(["proxy.example.com", "10.0.0.0/33", "10.0.0.0/0", "10.0.0.0/8/8", "10.0.0", "", "true", "1"])(
    "refuses %j",
    (text) => {
      expect(() => parseProxies([text])).toThrow(/--trust-proxy.*is not a valid address or network/);
    },
  );
});

describe("a server", () => {
  let local: Awaited<ReturnType<typeof served>>;
  let allowing: Awaited<ReturnType<typeof served>>;
  beforeAll(async () => {
    local = await served();
    allowing = await served({
      host: "0.0.0.0",
      allowHosts: ["recs.example.com", "*.shop.example", "Bücher.example:8443", "[fd00::1]"],
    });
  });
  afterAll(async () => {
    await local.close();
    await allowing.close();
  });
  const status = async (fixture: typeof local, host: string) =>
    (await fixture.ask("GET", "/v1/models", undefined, { host })).status;

  it("on loopback accepts only the names of this machine, and names the option that allows more", async () => {
    for (const host of [
      "localhost",
      "LOCALHOST:8080",
      "127.0.0.1",
      "127.9.9.9:1",
      "[::1]:8080",
      "localhost.",
    ])
      expect(await status(local, host), host).toBe(200);
    for (const host of [
      "recs.example.com",
      "localhost.example.com",
      "127.0.0.1.example.com",
      "1.2.3.4",
      "x y",
    ])
      expect(await status(local, host), host).toBe(421);
    const { body } = await local.ask("GET", "/v1/models", undefined, { host: "Recs.example.com:443" });
    expect(body.detail).toMatch(/--allow-host recs\.example\.com.*Host: localhost/);
  });

  it("accepts the allowed names on any address", async () => {
    const good = ["recs.example.com", "RECS.Example.com.", "recs.example.com:8443", "a.shop.example"];
    for (const host of [...good, "a.b.shop.example:1", "bücher.example:8443", "[fd00:0::1]:80", "localhost"])
      expect(await status(allowing, host), host).toBe(200);
    for (const host of [
      "example.com",
      "evil.recs.example.com",
      "shop.example",
      "evilshop.example",
      "bücher.example",
    ])
      expect(await status(allowing, host), host).toBe(421);
  });

  it("reads the client address only from a trusted proxy", async () => {
    const limits = { perSecond: 2 };
    const trusting = await served({ limits, trustProxies: ["127.0.0.1"] });
    const others = await served({ limits, trustProxies: ["10.0.0.1"] });
    try {
      const asking = async (fixture: typeof local, address: string) =>
        (await fixture.ask("GET", "/v1/models", undefined, { "x-forwarded-for": address })).status;
      const statuses = async (fixture: typeof local) => [
        ...[await asking(fixture, "1.1.1.1"), await asking(fixture, "1.1.1.1")],
        ...[await asking(fixture, "2.2.2.2"), await asking(fixture, "2.2.2.2")],
      ];
      expect(await statuses(trusting)).toEqual([200, 200, 200, 200]);
      expect(await statuses(others)).toEqual([200, 200, 429, 429]);
      // What a client itself puts before the proxy's entry does not count.
      await new Promise((resolve) => setTimeout(resolve, 1100));
      const forged = [];
      for (let n = 0; n < 3; n++) forged.push(await asking(trusting, `9.9.9.${n}, 3.3.3.3`));
      expect(forged).toEqual([200, 200, 429]);
    } finally {
      await trusting.close();
      await others.close();
    }
  });

  it("refuses ambiguous requests", async () => {
    const address = await local.server.listen(0);
    const line = "POST /v1/recommendations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    const body = '{"history":[]}';
    for (const [name, text] of Object.entries({
      "both lengths": `${line}Content-Length: 14\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      "both lengths, the other way round": `${line}Transfer-Encoding: chunked\r\nContent-Length: 14\r\n\r\n0\r\n\r\n`,
      "two lengths": `${line}Content-Length: 14\r\nContent-Length: 15\r\n\r\n${body}`,
      "a list of lengths": `${line}Content-Length: 14, 14\r\n\r\n${body}`,
      "a signed length": `${line}Content-Length: +14\r\n\r\n${body}`,
      "another encoding": `${line}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
      "chunked before the last": `${line}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
      "a folded header": `${line}Transfer-Encoding:\r\n chunked\r\nContent-Length: 14\r\n\r\n0\r\n\r\n`,
      "a blank before the colon": `${line}Content-Length : 14\r\n\r\n${body}`,
      "a bad chunk size": `${line}Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n`,
      "a bare line feed": `${line}X: a\nTransfer-Encoding: chunked\r\nContent-Length: 14\r\n\r\n0\r\n\r\n`,
      "no host": "GET /v1/models HTTP/1.1\r\n\r\n",
    })) {
      const end = await (await rawClient(address, text)).closed();
      expect(end.match(/^HTTP\/1.1 (\d+)/)?.[1], name).toBe("400");
      expect(end.match(/HTTP\/1.1 /g), name).toHaveLength(1);
    }
  });
});
