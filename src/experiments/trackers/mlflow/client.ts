// The part of MLflow's REST API that a training needs (mlflow.org, "REST API"), and where to find the server and the login.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { UserError } from "../../../core/errors.js";
import { trimEnd } from "../../../core/trim-end.js";

/** Milliseconds for an answer; for a file, and for each of its megabytes. */
const ANSWER_TIMEOUT = 10_000;
const FILE_TIMEOUT = 30_000;
const MEGABYTE_TIMEOUT = 1_000;

export interface MlflowPlace {
  /** The server's address without a login. */
  readonly url: string;
  /** The value of the header Authorization; undefined if there is no login. */
  readonly authorization: string | undefined;
  /** Removes the login from a message. */
  hide(message: string): string;
}

/** Parses the address of a server; the login may be in it or in the environment, as MLflow's own client reads it. Throws UserError. */
export function mlflowPlace(given: string | undefined, env: NodeJS.ProcessEnv = process.env): MlflowPlace {
  const text = given ?? env.MLFLOW_TRACKING_URI?.trim();
  const place = given === undefined ? "MLFLOW_TRACKING_URI" : "--mlflow";
  const expected = "the address of an MLflow server, such as http://localhost:5000";
  if (!text)
    throw new UserError({
      place: "--mlflow",
      problem: "no server is given",
      expected: `${expected}, here or in MLFLOW_TRACKING_URI`,
    });
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UserError({
      place,
      problem: url ? `${url.protocol} addresses are not supported` : "is not an address",
      expected,
    });
  const decoded = (part: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  };
  const user = decoded(url.username) || env.MLFLOW_TRACKING_USERNAME || "";
  const password = decoded(url.password) || env.MLFLOW_TRACKING_PASSWORD || "";
  const token = env.MLFLOW_TRACKING_TOKEN || undefined;
  const basic =
    user !== "" && password !== "" ? Buffer.from(`${user}:${password}`).toString("base64") : undefined;
  const secrets = [password, url.password, token, basic].filter(
    (secret) => secret !== undefined && secret.length >= 3,
  );
  const bare = `${url.protocol}//${url.host}${trimEnd(url.pathname, "/")}`;
  return {
    url: bare,
    authorization: basic !== undefined ? `Basic ${basic}` : token && `Bearer ${token}`,
    hide: (message) =>
      secrets.reduce<string>(
        (text, secret) => text.replaceAll(String(secret), "***"),
        message.replaceAll(url.href, bare),
      ),
  };
}

/** A failed request. */
export class MlflowError extends Error {
  override readonly name = "MlflowError";
  /** The HTTP status; 0 without an answer. */
  readonly status: number;
  /** MLflow's own code: "RESOURCE_DOES_NOT_EXIST". */
  readonly code: string;

  constructor(message: string, status = 0, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** Whether the same request may succeed later. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** A run as the server knows it. */
export interface ServerRun {
  readonly id: string;
  readonly experiment: string;
  readonly status: string;
  readonly artifacts: string;
  /** The newest step of each metric. */
  readonly steps: ReadonlyMap<string, number>;
}

export interface Metric {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
}

interface RunAnswer {
  readonly run: {
    readonly info: {
      readonly run_id: string;
      readonly experiment_id: string;
      readonly status: string;
      readonly artifact_uri: string;
    };
    readonly data?: {
      readonly metrics?: readonly { readonly key: string; readonly step?: number | string }[];
    };
  };
}

/** Speaks with a server. All methods throw MlflowError. */
export class MlflowClient {
  readonly #place: MlflowPlace;
  readonly #signal: AbortSignal | undefined;

  /** `signal` ends all requests. */
  constructor(place: MlflowPlace, signal?: AbortSignal) {
    this.#place = place;
    this.#signal = signal;
  }

  /** The id of the experiment with this name, which is created if there is none. */
  async experiment(name: string): Promise<string> {
    const found = await this.#experimentNamed(name);
    if (found !== undefined) return found;
    try {
      return (await this.#ask<{ experiment_id: string }>("experiments/create", { name })).experiment_id;
    } catch (error) {
      // Another training may have created it at the same time.
      const made =
        error instanceof MlflowError && error.status === 400 ? await this.#experimentNamed(name) : undefined;
      if (made === undefined) throw error;
      return made;
    }
  }

  async #experimentNamed(name: string): Promise<string | undefined> {
    try {
      const { experiment } = await this.#ask<{ experiment: { experiment_id: string } }>(
        `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`,
      );
      return experiment.experiment_id;
    } catch (error) {
      if (error instanceof MlflowError && error.code === "RESOURCE_DOES_NOT_EXIST") return undefined;
      throw error;
    }
  }

  async createRun(
    experiment: string,
    name: string,
    tags: Readonly<Record<string, string>>,
  ): Promise<ServerRun> {
    const answer = await this.#ask<RunAnswer>("runs/create", {
      ...{ experiment_id: experiment, run_name: name, start_time: Date.now() },
      tags: pairs(tags),
    });
    return serverRun(answer);
  }

  /** The run with a tag of this value; undefined if there is none. `value` has no quotes. */
  async taggedRun(experiment: string, tag: string, value: string): Promise<ServerRun | undefined> {
    const { runs = [] } = await this.#ask<{ runs?: RunAnswer["run"][] }>("runs/search", {
      ...{ experiment_ids: [experiment], max_results: 1, filter: `tags.\`${tag}\` = '${value}'` },
    });
    return runs.length > 0 ? serverRun({ run: runs[0] }) : undefined;
  }

  /** A run; undefined if the server does not have it. */
  async run(id: string): Promise<ServerRun | undefined> {
    try {
      return serverRun(await this.#ask<RunAnswer>(`runs/get?run_id=${encodeURIComponent(id)}`));
    } catch (error) {
      if (error instanceof MlflowError && (error.code === "RESOURCE_DOES_NOT_EXIST" || error.status === 404))
        return undefined;
      throw error;
    }
  }

  /** Logs at most 1,000 metrics, 100 options and 100 tags. */
  async log(
    run: string,
    metrics: readonly Metric[],
    params: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.#ask("runs/log-batch", { run_id: run, metrics, params: pairs(params) });
  }

  async setStatus(run: string, status: "RUNNING" | "FINISHED" | "FAILED" | "KILLED"): Promise<void> {
    await this.#ask("runs/update", {
      run_id: run,
      status,
      ...(status !== "RUNNING" && { end_time: Date.now() }),
    });
  }

  /** Uploads a file through the server; `path`: its place among the artifacts. False if the server does not store artifacts itself. */
  async upload({ artifacts }: ServerRun, path: string, file: string): Promise<boolean> {
    const [, root] = /^mlflow-artifacts:(?:\/\/[^/]*)?\/(.+)$/.exec(artifacts) ?? [];
    if (root === undefined) return false;
    const { size } = await stat(file);
    const place = [...root.split("/"), ...path.split("/")].map(encodeURIComponent).join("/");
    await this.#send(
      `mlflow-artifacts/artifacts/${place}`,
      {
        method: "PUT",
        headers: { "Content-Type": "application/octet-stream" },
        body: size === 0 ? new Uint8Array(0) : Readable.toWeb(createReadStream(file)),
        duplex: "half",
      } as RequestInit,
      FILE_TIMEOUT + Math.ceil(size / 2 ** 20) * MEGABYTE_TIMEOUT,
    );
    return true;
  }

  async #ask<Answer>(path: string, body?: object): Promise<Answer> {
    const answer = await this.#send(
      `mlflow/${path}`,
      body === undefined
        ? {}
        : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) },
      ANSWER_TIMEOUT,
    );
    try {
      return JSON.parse(answer) as Answer;
    } catch {
      throw new MlflowError("the answer is not JSON: this is not an MLflow server", 404);
    }
  }

  async #send(path: string, init: RequestInit, timeout: number): Promise<string> {
    const { url, authorization, hide } = this.#place;
    const limits = [AbortSignal.timeout(timeout), ...(this.#signal ? [this.#signal] : [])];
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${url}/api/2.0/${path}`, {
        ...init,
        // A login is sent to this server only.
        redirect: "error",
        headers: { ...init.headers, ...(authorization !== undefined && { Authorization: authorization }) },
        signal: AbortSignal.any(limits),
      });
      text = await response.text();
    } catch (error) {
      throw new MlflowError(hide(reasonOf(error, timeout)));
    }
    if (response.ok) return text;
    const { error_code: code = "", message = response.statusText } = parsed(text);
    throw new MlflowError(hide(message.split("\n")[0].slice(0, 300)), response.status, code);
  }
}

function parsed(text: string): { error_code?: string; message?: string } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

function reasonOf(error: unknown, timeout: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer in ${Math.round(timeout / 1000)} s`;
  const { cause } = error;
  const first = cause instanceof AggregateError ? cause.errors[0] : cause;
  return first instanceof Error ? first.message : error.message;
}

function serverRun({ run: { info, data } }: RunAnswer): ServerRun {
  return {
    id: info.run_id,
    experiment: info.experiment_id,
    status: info.status,
    artifacts: info.artifact_uri,
    steps: new Map((data?.metrics ?? []).map(({ key, step }) => [key, Number(step ?? 0)])),
  };
}

function pairs(values: Readonly<Record<string, string>>): { key: string; value: string }[] {
  return Object.entries(values).map(([key, value]) => ({ key, value }));
}
