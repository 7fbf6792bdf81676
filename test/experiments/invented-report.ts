// A report about a run that never was, with texts that try to break out of the page.

import type { Report } from "../../src/experiments/report.js";

const attack = `<script>alert("1")</script> & 'Ōkami' "七人の侍"`;

/** A report about an invented run. */
export function inventedReport(): Report {
  const epochs = Array.from({ length: 50 }, (_, i) => ({
    epoch: i + 1,
    updates: 10 * (i + 1),
    seconds: 1,
    validationSeconds: 0.2,
    values: {
      loss: 480 - 110 * (1 - Math.exp(-i / 9)) + 2 * Math.sin(i),
      beta: Math.min(0.2, 0.2 * (i / 42)),
      "validation ndcg@100":
        0.41 - 0.18 * Math.exp(-i / 8) - 0.0002 * Math.max(0, i - 30) + 0.003 * Math.sin(3 * i),
    },
  }));
  const estimate = (mean: number) => ({ mean, standardError: 0.0071 });
  return {
    algorithm: {
      name: "mult-vae",
      summary: "A variational autoencoder with a multinomial likelihood.",
      source: "Liang et al. 2018",
    },
    dataset: {
      name: "demo & co",
      protocol: "strong generalisation: 600 + 600 held-out users, 20 % of each history held out, seed 98765",
      trainUsers: 4834,
      items: 3497,
      trainInteractions: 462827,
      validation: { users: 600, heldOut: 11228 },
      test: { users: 600, heldOut: 10761 },
    },
    options: [
      { name: "epochs", value: "50", defaultValue: "200", meaning: "Passes over the users (section 4.3)" },
      {
        name: "beta",
        value: "0.2",
        defaultValue: "0.2",
        meaning: "Cap of the weight of the KL term (section 2.2.2)",
      },
      { name: "hidden", value: "600", defaultValue: "600", meaning: "Width of the hidden layers" },
    ],
    seed: 98765,
    engine: "native, 2 threads, AVX-512",
    seconds: 61,
    epochs,
    unseenUsers: true,
    chosenEpoch: 33,
    metrics: ["ndcg@100", "recall@20", "recall@50", "map@20"].map((name, i) => ({
      name,
      test: estimate(0.402 - 0.03 * i),
      validation: estimate(0.411 - 0.03 * i),
    })),
    examples: [
      {
        user: "1041",
        history: [
          "Seven Samurai (1954)",
          attack,
          ...Array.from({ length: 23 }, (_, i) => `The Quiet Harbour, part ${i}`),
        ],
        recommendations: Array.from({ length: 10 }, (_, i) => ({
          title: i === 4 ? attack : `A Lantern over Tamsel ${i}`,
          heldOut: i % 3 === 1,
        })),
        heldOut: 7,
      },
      {
        user: "<b>7</b>",
        history: [],
        recommendations: [{ title: "Salt Roads", heldOut: false }],
        heldOut: 1,
      },
    ],
    finished: new Date("2026-11-21T20:00:00Z"),
  };
}
