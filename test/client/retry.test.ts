import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { retryAfter, retrying } from "../../src/client/retry.js";

const url = "http://localhost/v1/models";
/** A function that answers with these statuses in turn, and counts; an Error is thrown. */
function answers(...given: (number | [number, string] | Error)[]) {
  const bodies: string[] = [];
  const send = async (request: Request) => {
    const next = given[bodies.length];
    bodies.push(await request.text());
    if (next instanceof Error) throw next;
    const [status, after] = Array.isArray(next) ? next : [next];
    return new Response("{}", { status, headers: after === undefined ? {} : { "retry-after": after } });
  };
  return { send, bodies };
}

describe("requests are repeated", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => void vi.useRealTimers());

  it.each([429, 502, 503, 504])("after status %i, with the same body", async (status) => {
    const { send, bodies } = answers(status, status, 200);
    const answer = retrying({ fetch: send })(new Request(url, { method: "POST", body: "{}" }));
    await vi.runAllTimersAsync();
    expect((await answer).status).toBe(200);
    expect(bodies).toEqual(["{}", "{}", "{}"]);
  });

  it("after a broken connection", async () => {
    const { send, bodies } = answers(new TypeError("fetch failed"), 200);
    const answer = retrying({ fetch: send })(new Request(url));
    await vi.runAllTimersAsync();
    expect((await answer).status).toBe(200);
    expect(bodies).toHaveLength(2);
  });

  it("not before the time that the server states", async () => {
    const { send, bodies } = answers([503, "7"], 200);
    const answer = retrying({ fetch: send })(new Request(url));
    await vi.advanceTimersByTimeAsync(6_990);
    expect(bodies).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(20);
    expect(bodies).toHaveLength(2);
    expect((await answer).status).toBe(200);
  });

  it("later and later if the server states no time", async () => {
    const { send, bodies } = answers(503, 503, 503, 200);
    const answer = retrying({ fetch: send })(new Request(url));
    const at: number[] = [];
    for (let passed = 0; bodies.length < 4; passed += 50) {
      if (bodies.length > at.length) at.push(passed);
      await vi.advanceTimersByTimeAsync(50);
    }
    expect((await answer).status).toBe(200);
    // 200 to 400 ms, then 400 to 800.
    expect(at[1] - at[0]).toBeGreaterThanOrEqual(150);
    expect(at[1] - at[0]).toBeLessThanOrEqual(450);
    expect(at[2] - at[1]).toBeGreaterThanOrEqual(350);
    expect(at[2] - at[1]).toBeLessThanOrEqual(850);
  });

  it("as often as asked for; the last answer or error is the result", async () => {
    const refused = answers(503, 503, 503);
    const answer = retrying({ fetch: refused.send, retries: 2 })(new Request(url));
    await vi.runAllTimersAsync();
    expect((await answer).status).toBe(503);
    expect(refused.bodies).toHaveLength(3);
    const broken = answers(new TypeError("fetch failed"), new TypeError("fetch failed again"));
    const failure = expect(retrying({ fetch: broken.send, retries: 1 })(new Request(url))).rejects.toThrow(
      "fetch failed again",
    );
    await vi.runAllTimersAsync();
    await failure;
    expect(broken.bodies).toHaveLength(2);
  });

  it("unless the error is the client's, or the server asks for too long a wait", async () => {
    for (const given of [400, 401, 404, 500, [503, "31"] as [number, string]]) {
      const { send, bodies } = answers(given, 200);
      const answer = await retrying({ fetch: send })(new Request(url));
      expect(answer.status).toBe(Array.isArray(given) ? 503 : given);
      expect(bodies).toHaveLength(1);
    }
  });

  it("until the signal is aborted, also while waiting", async () => {
    const abort = new AbortController();
    const { send, bodies } = answers([503, "20"], 200);
    const failure = expect(
      retrying({ fetch: send })(new Request(url, { signal: abort.signal })),
    ).rejects.toThrow("stopped");
    await vi.advanceTimersByTimeAsync(1_000);
    abort.abort(new Error("stopped"));
    await failure;
    await vi.runAllTimersAsync();
    expect(bodies).toHaveLength(1);
  });
});

describe("an attempt", () => {
  it("ends after the timeout, and is repeated", async () => {
    let attempts = 0;
    const send = ({ signal }: Request) => {
      attempts++;
      if (attempts === 2) return Promise.resolve(new Response("{}"));
      return new Promise<Response>((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason)),
      );
    };
    expect((await retrying({ fetch: send, timeout: 30 })(new Request(url))).status).toBe(200);
    expect(attempts).toBe(2);
    attempts = 2;
    await expect(retrying({ fetch: send, timeout: 30, retries: 0 })(new Request(url))).rejects.toThrow(
      expect.objectContaining({ name: "TimeoutError" }),
    );
  });
});

describe("Retry-After", () => {
  it("is a number of seconds or a date", () => {
    const now = Date.parse("2026-11-27T10:00:00Z");
    expect(retryAfter("120", now)).toBe(120_000);
    expect(retryAfter("Fri, 27 Nov 2026 10:00:05 GMT", now)).toBe(5_000);
    expect(retryAfter("Fri, 27 Nov 2026 09:59:00 GMT", now)).toBe(-60_000);
  });

  it("is ignored otherwise", () => {
    for (const header of [null, "", "soon", "-5", "1.5s"]) expect(retryAfter(header)).toBeUndefined();
  });

  it.each([{ retries: -1 }, { timeout: Number.NaN }, { longestWait: -5 }])("%o is refused", (options) => {
    expect(() => retrying(options)).toThrow(RangeError);
  });
});
