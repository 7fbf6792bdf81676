// The network of the Keras notebooks as Keras' plot_model draws it (show_shapes): a box per layer with its input and output
// shapes, arrows from layer to layer; and the same as a summary with numbers of weights.

import { vaeSummary } from "../models/autoencoders/vae.js";
import { type Html, html } from "./html.js";

export interface Network {
  readonly items: number;
  readonly hidden: number[];
  readonly latent: number;
  readonly dropout: number;
}

interface Box {
  readonly name: string;
  readonly kind: string;
  readonly input: string;
  readonly output: string;
  /** Column and row in the drawing. */
  readonly x: number;
  readonly y: number;
  /** Indices of the boxes that feed it. */
  readonly from: readonly number[];
}

const shapeOf = (size: number) => `(None, ${size})`;

/** A row of the summary: the layer, what it is, its output's shape, its number of weights. */
export interface SummaryRow {
  readonly layer: string;
  readonly kind: string;
  readonly output: string;
  readonly parameters: number;
}

/** The rows of Keras' `summary()`, and the total. */
export function summarise({ items, hidden, latent, dropout }: Network): {
  rows: SummaryRow[];
  total: number;
} {
  const layers = vaeSummary(items, { hidden, latent });
  const row = (layer: string, kind: string, size: number, parameters = 0): SummaryRow => ({
    layer,
    kind,
    output: shapeOf(size),
    parameters,
  });
  const rows = [row("encoder_input", "Input", items), row("dropout", `Dropout ${dropout}`, items)];
  for (const { name, outputs, activation, parameters } of layers) {
    rows.push(row(keras(name), `Dense, ${activation}`, outputs, parameters));
    if (name === "encoder.logVariance") rows.push(row("z", "Lambda: sample", latent));
  }
  return { rows, total: layers.reduce((sum, { parameters }) => sum + parameters, 0) };
}

/** A layer's name in the drawing. */
function keras(name: string): string {
  const names: Record<string, string> = {
    "encoder.input": "encoder_dense",
    "encoder.mean": "z_mean",
    "encoder.logVariance": "z_log_var",
  };
  return names[name] ?? name.replace(".", "_");
}

const WIDTH = 300;
const HEIGHT = 46;
const GAP = 26;

/** The drawing as SVG, in the page's colours. */
export function drawNetwork(network: Network): Html {
  const boxes = boxesOf(network);
  const rows = Math.max(...boxes.map(({ y }) => y)) + 1;
  const width = 2 * WIDTH + 40;
  const height = rows * (HEIGHT + GAP) - GAP + 4;
  const left = ({ x }: Box) => 2 + x * (WIDTH + 36);
  const top = ({ y }: Box) => 2 + y * (HEIGHT + GAP);
  const arrows = boxes.flatMap((box) =>
    box.from.map((source) => {
      const [x1, y1] = [left(boxes[source]) + WIDTH / 2, top(boxes[source]) + HEIGHT];
      const [x2, y2] = [left(box) + WIDTH / 2, top(box)];
      return html`<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2 - 5}" stroke="var(--muted)" marker-end="url(#arrow)"/>`;
    }),
  );
  const drawn = boxes.map((box) => {
    const [x, y] = [left(box), top(box)];
    const middle = x + 118;
    return html`<g><rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="4" fill="var(--soft)" stroke="var(--rule)"/>
<line x1="${middle}" y1="${y}" x2="${middle}" y2="${y + HEIGHT}" stroke="var(--rule)"/>
<line x1="${middle}" y1="${y + HEIGHT / 2}" x2="${x + WIDTH}" y2="${y + HEIGHT / 2}" stroke="var(--rule)"/>
<text x="${x + 8}" y="${y + 19}" font-weight="600">${box.name}</text><text x="${x + 8}" y="${y + 36}" fill="var(--muted)">${box.kind}</text>
<text x="${middle + 8}" y="${y + 16}">input: ${box.input}</text><text x="${middle + 8}" y="${y + 39}">output: ${box.output}</text></g>`;
  });
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="The network, layer by layer" style="display:block;width:100%;max-width:${width}px;height:auto" font-size="12" fill="var(--ink)" font-family="inherit">
<defs><marker id="arrow" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="var(--muted)"/></marker></defs>
${arrows}${drawn}</svg>`;
}

function boxesOf({ items, hidden, latent, dropout }: Network): Box[] {
  const boxes: Box[] = [];
  let y = 0;
  const add = (name: string, kind: string, input: string, output: string, from: number[], x = 0.5) =>
    boxes.push({ name, kind, input, output, x, y, from }) - 1;
  const layers = vaeSummary(items, { hidden, latent });
  let last = add("encoder_input", "InputLayer", shapeOf(items), shapeOf(items), []);
  y++;
  last = add("dropout", `Dropout ${dropout}`, shapeOf(items), shapeOf(items), [last]);
  y++;
  for (const { name, inputs, outputs, activation } of layers) {
    const [input, output] = [shapeOf(inputs), shapeOf(outputs)];
    if (name === "encoder.logVariance") {
      const mean = last;
      const variance = add("z_log_var", "Dense, linear", input, output, [...boxes[mean].from], 1);
      y++;
      last = add("z", "Lambda: sample", `[${output}, ${output}]`, output, [mean, variance]);
      y++;
    } else {
      last = add(
        keras(name),
        `Dense, ${activation}`,
        input,
        output,
        [last],
        name === "encoder.mean" ? 0 : 0.5,
      );
      if (name !== "encoder.mean") y++;
    }
  }
  return boxes;
}
