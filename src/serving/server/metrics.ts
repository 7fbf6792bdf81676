// What Prometheus scrapes from /metrics. No label holds anything that a client chose: routes go by their patterns.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ModelShelf } from "../model-shelf.js";

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const metrics = {
    registry,
    requests: new Histogram({
      name: "foldin_http_request_seconds",
      help: "Requests by route, method and status",
      labelNames: ["route", "method", "status"],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    }),
    batchSize: new Histogram({
      name: "foldin_batch_histories",
      help: "Histories that were scored together",
      labelNames: ["model"],
      buckets: [1, 2, 4, 8, 16, 32, 64, 128],
      registers,
    }),
    batchSeconds: new Histogram({
      name: "foldin_batch_seconds",
      help: "Seconds to score the histories of a batch",
      labelNames: ["model"],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1],
      registers,
    }),
    answered: new Counter({
      name: "foldin_histories_total",
      help: "Histories that were answered",
      labelNames: ["model"],
      registers,
    }),
    unknown: new Counter({
      name: "foldin_unknown_items_total",
      help: "Items of histories that the model does not know",
      labelNames: ["model"],
      registers,
    }),
    events: new Counter({ name: "foldin_events_total", help: "Events that were stored", registers }),
    cut: new Counter({
      name: "foldin_cut_connections_total",
      help: "Connections that were refused or cut off, by why",
      labelNames: ["reason"],
      registers,
    }),
    reloads: new Counter({
      name: "foldin_reloads_total",
      help: "Times that a model's files changed, by what came of it",
      labelNames: ["model", "outcome"],
      registers,
    }),
    /** Shows the models that are served at the time of each scrape. */
    show(shelf: ModelShelf): void {
      new Gauge({
        name: "foldin_model_info",
        help: "1 for each served model",
        labelNames: ["model", "version", "algorithm"],
        registers,
        collect() {
          this.reset();
          for (const { model } of shelf.models)
            this.set(
              { model: model.name, version: model.version, algorithm: model.recommender.algorithm },
              1,
            );
        },
      });
      new Gauge({
        name: "foldin_waiting_histories",
        help: "Histories that wait for their model",
        labelNames: ["model"],
        registers,
        collect() {
          for (const { model } of shelf.models) this.set({ model: model.name }, model.batcher.waiting);
        },
      });
    },
  };
  return metrics;
}
export type Metrics = ReturnType<typeof createMetrics>;
