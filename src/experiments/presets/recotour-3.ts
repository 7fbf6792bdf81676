// RecoTour III (jrzaurin/RecoTour, mult-vae): dimensions, dropout, annealing and step-size schedules of Mult-VAE and Mult-DAE. Its best
// runs on MovieLens 20M and Amazon Movies & TV come from the repository's notebook 04 (sections 4 to 6 of the blog post are headings
// only); the grid on MovieLens 1M is ours. Its scheduler treats a smaller NDCG as better (compatibility.plateauMode=min); one
// row has the corrected scheduler.

import { means, type Preset, type PresetRun, type Published } from "./preset.js";

type Row = readonly [key: string, title: string, options: Record<string, unknown>, published?: number[]];

const metrics = ["ndcg@100", "recall@20", "recall@50"];
const training = { dropout: 0.5, batchSize: 512, epochs: 200, patience: 20 };
const scheduler = {
  learningRate: 5e-3,
  scheduler: "plateau",
  plateauFactor: 0.4,
  plateauPatience: 5,
  compatibility: { plateauMode: "min" },
};

/** p_dims of RecoTour: [latent, hidden]. */
const dimensions = (latent: number, hidden: number) => ({ latent, hidden: [hidden] });

function publishedOf(values: number[] | undefined): Record<string, Published> | undefined {
  return values && means(Object.fromEntries(metrics.map((metric, m) => [metric, values[m]])));
}

const vae = ([key, title, options, values]: Row): PresetRun => ({
  key: `vae-${key}`,
  title: `Mult-VAE ${title}`,
  model: "mult-vae",
  options: { ...dimensions(200, 600), ...training, beta: 0.2, ...options },
  published: publishedOf(values),
});

const dae = ([key, title, options, values]: Row): PresetRun => ({
  key: `dae-${key}`,
  title: `Mult-DAE ${title}`,
  model: "mult-dae",
  options: { ...dimensions(200, 600), ...training, l2: 0, ...options },
  published: publishedOf(values),
});

const note =
  "Two properties of RecoTour's programs are not reproduced: the MXNet program, as we read it, samples z at evaluation too, and the PyTorch program applies tanh after every module, dropout included.";
const study = { metrics, curve: "validation ndcg@100" } as const;

export const recoTour3: Preset = {
  name: "recotour-3",
  summary: "RecoTour III: dimensions, dropout, annealing and schedulers of Mult-VAE and Mult-DAE.",
  source: "jrzaurin/RecoTour, mult-vae/notebooks/04_results_summary.ipynb",
  network: { study: "ml-1m", run: "vae-200-600" },
  studies: [
    {
      ...study,
      key: "ml-20m",
      title: "MovieLens 20M, a tenth of the users for validation and a tenth for the test",
      source: "ml-20m",
      protocol: { validationUsers: 0.1, testUsers: 0.1 },
      optional: true,
      note,
      runs: [
        vae(["scheduler", "[200, 600], step 5e-3 and scheduler (PyTorch)", scheduler, [0.427, 0.398, 0.538]]),
        vae(["beta-0", "[200, 600], beta 0 (MXNet)", { beta: 0 }, [0.417, 0.388, 0.531]]),
        dae(["scheduler", "[200, 600], step 5e-3 and scheduler (MXNet)", scheduler, [0.424, 0.393, 0.536]]),
        dae(["default", "[200, 600] (PyTorch)", {}, [0.418, 0.386, 0.53]]),
      ],
    },
    {
      ...study,
      key: "amazon-movies",
      title: "Amazon Movies & TV",
      source: "amazon-movies",
      protocol: {},
      optional: true,
      note,
      runs: [
        vae([
          "300-900",
          "[300, 900], beta .7 (PyTorch)",
          { ...dimensions(300, 900), beta: 0.7 },
          [0.101, 0.137, 0.204],
        ]),
        dae(["50-150", "[50, 150] (PyTorch)", dimensions(50, 150), [0.091, 0.12, 0.182]]),
        dae(["100-300", "[100, 300] (MXNet)", dimensions(100, 300), [0.09, 0.119, 0.182]]),
        vae(["beta-0", "[200, 600], beta 0 (MXNet)", { beta: 0 }, [0.09, 0.118, 0.179]]),
      ],
    },
    {
      ...study,
      key: "ml-1m",
      title: "MovieLens 1M (ours)",
      source: "ml-1m",
      protocol: {},
      note: "Not in RecoTour: its options, varied one at a time, on a smaller data set.",
      runs: [
        vae(["50-150", "[50, 150]", dimensions(50, 150)]),
        vae(["100-300", "[100, 300]", dimensions(100, 300)]),
        vae(["200-600", "[200, 600]", {}]),
        vae(["300-900", "[300, 900]", dimensions(300, 900)]),
        vae(["dropout-0.2", "[200, 600], dropout .2", { dropout: 0.2 }]),
        vae(["dropout-0.7", "[200, 600], dropout .7", { dropout: 0.7 }]),
        vae([
          "dropout-layers",
          "[200, 600], dropout_enc [.5, .2], dropout_dec [.2, .2]",
          { encoderDropout: [0.2], decoderDropout: [0.2, 0.2] },
        ]),
        vae(["256-512-1024", "[256, 512, 1024]", { latent: 256, hidden: [1024, 512] }]),
        vae(["q-600-p-300", "q_dims [600, 200], p_dims [200, 300]", { hidden: [600], decoderHidden: [300] }]),
        vae(["beta-0", "[200, 600], beta 0", { beta: 0 }]),
        vae(["beta-0.7", "[200, 600], beta .7", { beta: 0.7 }]),
        vae(["constant", "[200, 600], beta .2 from the start", { annealSteps: 0 }]),
        vae(["scheduler", "[200, 600], step 5e-3 and scheduler", scheduler]),
        vae([
          "scheduler-max",
          "[200, 600], step 5e-3 and the scheduler corrected",
          { ...scheduler, compatibility: { plateauMode: "max" } },
        ]),
        dae(["50-150", "[50, 150]", dimensions(50, 150)]),
        dae(["100-300", "[100, 300]", dimensions(100, 300)]),
        dae(["200-600", "[200, 600]", {}]),
        dae([
          "dropout-layers",
          "[200, 600], dropout_enc [.5, .2], dropout_dec [.2, .2]",
          { encoderDropout: [0.2], decoderDropout: [0.2, 0.2] },
        ]),
        dae(["q-600-p-300", "q_dims [600, 200], p_dims [200, 300]", { hidden: [600], decoderHidden: [300] }]),
        dae(["scheduler", "[200, 600], step 5e-3 and scheduler", scheduler]),
      ],
    },
  ],
};
