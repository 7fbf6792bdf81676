// Requests to the studio's server.

/** The answer of a GET request. Throws an Error with the server's message. */
export function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  return request<T>(path, { signal });
}

/** The answer of another request; undefined where there is none. Throws an Error with the server's message. */
export function tell<T>(
  method: "POST" | "DELETE",
  path: string,
  body?: object,
  signal?: AbortSignal,
): Promise<T> {
  const json = body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  return request<T>(path, { method, signal, ...json });
}

async function request<T>(path: string, init: RequestInit): Promise<T> {
  const response = await fetch(path, init).catch((cause) => {
    if (init.signal?.aborted) throw cause;
    throw new Error("the studio does not answer; was it stopped?", { cause });
  });
  const text = await response.text();
  const answer = text === "" ? undefined : JSON.parse(text);
  if (!response.ok) throw new Error(answer?.detail ?? `the server answered ${response.status}`);
  return answer as T;
}
