// Prometheus metrics for /metrics. Labels never contain text from clients: routes are labelled by their patterns.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ModelRouter } from "../model-router.js";

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const metrics = {
    registry,
    requests: new Histogram({
      name: "foldin_http_request_seconds",
      help: "Request duration in seconds, by route, method and status",
      labelNames: ["route", "method", "status"],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    }),
    batchSize: new Histogram({
      name: "foldin_batch_histories",
      help: "Histories per batch",
      labelNames: ["model"],
      buckets: [1, 2, 4, 8, 16, 32, 64, 128],
      registers,
    }),
    batchSeconds: new Histogram({
      name: "foldin_batch_seconds",
      help: "Time to score a batch, in seconds",
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
      help: "History items that the model does not know",
      labelNames: ["model"],
      registers,
    }),
    events: new Counter({ name: "foldin_events_total", help: "Events that were stored", registers }),
    cut: new Counter({
      name: "foldin_cut_connections_total",
      help: "Connections that were rejected or closed, by reason",
      labelNames: ["reason"],
      registers,
    }),
    reloads: new Counter({
      name: "foldin_reloads_total",
      help: "Model reloads after a change of the files, by outcome",
      labelNames: ["model", "outcome"],
      registers,
    }),
    /** Adds gauges for the models served at the time of each scrape. */
    show(router: ModelRouter): void {
      new Gauge({
        name: "foldin_model_info",
        help: "1 for each served model",
        labelNames: ["model", "version", "algorithm"],
        registers,
        collect() {
          this.reset();
          for (const { model } of router.models)
            this.set(
              { model: model.name, version: model.version, algorithm: model.recommender.algorithm },
              1,
            );
        },
      });
      new Gauge({
        name: "foldin_waiting_histories",
        help: "Histories waiting for their model",
        labelNames: ["model"],
        registers,
        collect() {
          for (const { model } of router.models) this.set({ model: model.name }, model.batcher.waiting);
        },
      });
    },
  };
  return metrics;
}
export type Metrics = ReturnType<typeof createMetrics>;
