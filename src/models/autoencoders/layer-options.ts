// The options of RecoTour III that change Mult-VAE's and Mult-DAE's layers (jrzaurin/RecoTour, models: q_dims, p_dims, dropout_enc,
// dropout_dec): a decoder that does not mirror the encoder, and a dropout rate for the input of every layer.

import { z } from "zod";
import type { DenseDropout } from "../../compute/engine.js";
import type { RandomKey } from "../../core/philox.js";
import { layerSizes } from "../settings.js";

const rates = z.array(z.number().min(0).lt(1));

export const layerOptions = {
  decoderHidden: layerSizes
    .optional()
    .describe(
      "sizes of the decoder's hidden layers, from z to the output (RecoTour's p_dims next to another q_dims); unset = hidden in reverse",
    ),
  encoderDropout: rates
    .optional()
    .describe(
      "dropout rates of the encoder's layers after the first, one per hidden layer, each on the layer's input; with dropout for the first layer it is RecoTour's dropout_enc; unset = 0",
    ),
  decoderDropout: rates
    .optional()
    .describe(
      "dropout rates of the decoder's layers, the output layer included, each on the layer's input (RecoTour's dropout_dec); unset = 0",
    ),
};

interface LayerOptions {
  readonly decoderHidden?: readonly number[];
  readonly encoderDropout?: readonly number[];
  readonly decoderDropout?: readonly number[];
}

/** Refuses lists of dropout rates that do not have one rate per layer. `encoder` and `decoder`: the sizes of the hidden layers. */
export function checkLayerDropout(
  { encoderDropout, decoderDropout }: LayerOptions,
  encoder: readonly number[],
  decoder: readonly number[],
  context: z.RefinementCtx,
): void {
  const check = (path: string, given: readonly number[] | undefined, layers: number, what: string) => {
    if (given === undefined || given.length === layers) return;
    context.addIssue({
      code: "custom",
      path: [path],
      message: `it has ${given.length} rates for ${layers} layers: expected one rate per ${what}`,
    });
  };
  check("encoderDropout", encoderDropout, encoder.length, "layer of the encoder after the first");
  check(
    "decoderDropout",
    decoderDropout,
    decoder.length + 1,
    "layer of the decoder, the output layer included",
  );
}

/** The dropout of each layer's input in an update; absent where the rate is 0. `key` names the update. */
export function layerDropout(
  name: "encoder" | "decoder",
  rates: readonly number[] | undefined,
  key: (name: string) => RandomKey,
): readonly (DenseDropout | undefined)[] {
  return (rates ?? []).map((rate, layer) =>
    rate > 0 ? { rate, key: key(`dropout of ${name} layer ${layer}`) } : undefined,
  );
}
