// Repeats requests that failed for a passing reason: the server was busy or restarting, or the connection broke.

export interface RetryOptions {
  /** Number of repetitions after the first attempt. Default 3; 0 = none. */
  readonly retries?: number;
  /** Milliseconds after which an attempt has failed. Default 10,000. */
  readonly timeout?: number;
  /** Milliseconds: a server that asks for a longer wait (Retry-After) is not asked again. Default 30,000. */
  readonly longestWait?: number;
  /** The function that sends requests. Default: the global fetch. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/** Too many requests; the server, or a proxy before it, is overloaded, stopping or restarting. */
const PASSING = new Set([429, 502, 503, 504]);
/** Milliseconds before the first repetition if the server does not state a time; doubles with every further one. */
const FIRST_WAIT = 200;

/**
 * A fetch that repeats. All requests of the HTTP interface can be repeated: an event that is sent twice is stored once. The answer to
 * the last attempt is returned even if it is an error; a connection error of the last attempt is thrown.
 */
export function retrying({
  retries = 3,
  timeout = 10_000,
  longestWait = 30_000,
  fetch: send = (request) => fetch(request),
}: RetryOptions): (request: Request) => Promise<Response> {
  for (const [name, value] of Object.entries({ retries, timeout, longestWait }))
    if (!(value >= 0)) throw new RangeError(`${name} is ${value}; expected a number of at least 0`);
  return async (request) => {
    for (let attempt = 0; ; attempt++) {
      const last = attempt >= retries;
      const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeout)]);
      let wait = FIRST_WAIT * 2 ** attempt * (1 + Math.random());
      try {
        const answer = await send(new Request(last ? request : request.clone(), { signal }));
        if (last || !PASSING.has(answer.status)) return answer;
        wait = Math.max(0, retryAfter(answer.headers.get("retry-after")) ?? wait);
        if (wait > longestWait) return answer;
        await answer.body?.cancel();
      } catch (error) {
        if (last || request.signal.aborted) throw error;
      }
      await pause(Math.min(wait, longestWait), request.signal);
    }
  };
}

/** Milliseconds until the time in a Retry-After header (RFC 9110, section 10.2.3): seconds, or a date. */
export function retryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const time = header.endsWith(" GMT") ? Date.parse(header) : Number.NaN;
  return Number.isNaN(time) ? undefined : time - now;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", aborted);
      resolve();
    }, milliseconds);
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
  });
}
