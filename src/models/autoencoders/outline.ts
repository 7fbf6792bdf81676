// The parts that the outlines of several autoencoders share: the history at the input, a stack of layers, a Gaussian and its sample.

import type { OutlineBuilder } from "../../recommender/outline.js";

/** The history, divided by its L2 norm where that is done, after dropout. */
export function outlineInput(
  outline: OutlineBuilder,
  items: number,
  { dropout, l2 = true, column = 0.5 }: { dropout: number; l2?: boolean; column?: number },
): string {
  outline.add("history", "Input", { output: items, from: [], column });
  if (l2) outline.add("unit_norm", "Divided by its L2 norm");
  return outlineDropout(outline, "dropout", dropout);
}

/** Dropout on the last layer, where there is any; the name of what comes out. */
export function outlineDropout(outline: OutlineBuilder, name: string, rate = 0): string {
  const last = outline.layers[outline.layers.length - 1].name;
  return rate > 0 ? outline.add(name, `Dropout ${rate}`) : last;
}

/** Dense layers "<name>_0", "<name>_1", ..., each after dropout at its rate; `first` is the number of the first one. */
export function outlineStack(
  outline: OutlineBuilder,
  name: string,
  sizes: readonly number[],
  {
    gated,
    activation = "tanh",
    rates = [],
  }: { gated?: boolean; activation?: string; rates?: readonly number[] },
): void {
  for (const [layer, size] of sizes.entries()) {
    outlineDropout(outline, `${name}_${layer}_dropout`, rates[layer]);
    outline.dense(`${name}_${layer}`, size, activation, { gated });
  }
}

/** The mean and the log-variance of z from the last layer, and a sample of it. */
export function outlineGaussian(outline: OutlineBuilder, latent: number): string {
  const from = outline.layers.slice(-1).map(({ name }) => name);
  const mean = outline.dense("z_mean", latent, "linear", { from, column: 0 });
  const logVariance = outline.dense("z_log_variance", latent, "linear", { from, column: 1 });
  return outline.add("z", "Sample", { from: [mean, logVariance], output: latent, column: 0.5 });
}

/** The output layer over all items. */
export function outlineOutput(
  outline: OutlineBuilder,
  items: number,
  likelihood: "multinomial" | "bernoulli" = "multinomial",
  from?: readonly string[],
): string {
  const activation = likelihood === "multinomial" ? "softmax" : "sigmoid";
  return outline.dense("output", items, activation, { from });
}
