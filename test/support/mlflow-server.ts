// An MLflow server of a few lines, for faults that a real one does not have on demand. mlflow.test.ts compares it with a real one.

import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

interface Run {
  readonly name: string;
  status: string;
  readonly params: Record<string, string>;
  readonly tags: Record<string, string>;
  readonly metrics: { key: string; value: number; step: number }[];
}

export interface FakeServer {
  readonly url: string;
  /** Ids by name. */
  readonly experiments: Map<string, string>;
  readonly runs: Map<string, Run>;
  readonly files: Map<string, Buffer>;
  readonly authorizations: Set<string | undefined>;
  /** Answers a request instead of the server; true: it did. */
  fault: (path: string, response: ServerResponse) => boolean;
  /** Breaks the connection after a request was handled. */
  lose: (path: string) => boolean;
  requests: number;
  close(): Promise<void>;
}

export async function mlflowServer(artifacts = "mlflow-artifacts:/1"): Promise<FakeServer> {
  const experiments = new Map<string, string>();
  const answer = (path: string, query: URLSearchParams, body: Buffer): object | undefined => {
    const json = () => JSON.parse(body.toString("utf8"));
    const { runs } = fake;
    const shown = (id: string) => {
      const run = runs.get(id);
      return (
        run && {
          run: {
            info: {
              run_id: id,
              experiment_id: "1",
              status: run.status,
              artifact_uri: `${artifacts}/${id}/artifacts`,
            },
            data: {
              metrics: run.metrics.filter(
                (metric, place) => run.metrics.findLastIndex(({ key }) => key === metric.key) === place,
              ),
            },
          },
        }
      );
    };
    switch (path) {
      case "mlflow/experiments/get-by-name": {
        const id = experiments.get(String(query.get("experiment_name")));
        return id === undefined ? undefined : { experiment: { experiment_id: id } };
      }
      case "mlflow/experiments/create":
        experiments.set(json().name, String(experiments.size + 1));
        return { experiment_id: String(experiments.size) };
      case "mlflow/runs/create": {
        const { run_name: name, tags } = json();
        const id = randomUUID();
        const pairs = tags.map(({ key, value }: { key: string; value: string }) => [key, value]);
        runs.set(id, { name, status: "RUNNING", params: {}, tags: Object.fromEntries(pairs), metrics: [] });
        return shown(id);
      }
      case "mlflow/runs/search": {
        const [, tag, value] = /^tags\.`(.+)` = '(.+)'$/.exec(json().filter) ?? [];
        const found = [...runs].find(([, { tags }]) => tags[tag] === value);
        return found ? { runs: [shown(found[0])?.run] } : {};
      }
      case "mlflow/runs/get":
        return shown(String(query.get("run_id")));
      case "mlflow/runs/log-batch": {
        const { run_id: id, metrics, params } = json();
        const run = runs.get(id) as Run;
        run.metrics.push(...metrics);
        for (const { key, value } of params) run.params[key] = value;
        return {};
      }
      case "mlflow/runs/update": {
        const { run_id: id, status } = json();
        (runs.get(id) as Run).status = status;
        return {};
      }
      default:
        fake.files.set(decodeURIComponent(path.replace("mlflow-artifacts/artifacts/", "")), body);
        return {};
    }
  };
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    fake.requests++;
    fake.authorizations.add(request.headers.authorization);
    const { pathname, searchParams } = new URL(String(request.url), "http://localhost");
    const path = pathname.replace("/api/2.0/", "");
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    if (fake.fault(path, response)) return;
    const found = answer(path, searchParams, Buffer.concat(parts));
    if (fake.lose(path)) {
      response.destroy();
      return;
    }
    response.statusCode = found === undefined ? 404 : 200;
    response.end(JSON.stringify(found ?? { error_code: "RESOURCE_DOES_NOT_EXIST", message: "not found" }));
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const fake: FakeServer = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    ...{ experiments, runs: new Map(), files: new Map(), authorizations: new Set(), requests: 0 },
    ...{ fault: () => false, lose: () => false },
    close: () =>
      new Promise((closed) => {
        server.closeAllConnections();
        server.close(() => closed());
      }),
  };
  return fake;
}
