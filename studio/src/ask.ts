// Requests to the studio's server.

/** The answer of a GET request. Throws an Error with the server's message. */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(path, { signal, headers: { accept: "application/json" } }).catch((cause) => {
    if (signal?.aborted) throw cause;
    throw new Error("the studio does not answer; was it stopped?", { cause });
  });
  const answer = (await response.json()) as { detail?: string };
  if (!response.ok) throw new Error(answer.detail ?? `the server answered ${response.status}`);
  return answer as T;
}
