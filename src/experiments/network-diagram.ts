// A network as Keras' plot_model draws it (show_shapes): a box per layer with its input and output shapes, and arrows from layer to
// layer; and the same as a summary with numbers of weights.

import type { NetworkOutline, OutlineLayer } from "../recommender/outline.js";
import { type Html, html } from "./html.js";
import { count } from "./numbers.js";

/** A row of the summary: the layer, what it is, its output's shape, its number of weights. */
interface SummaryRow {
  readonly layer: string;
  readonly kind: string;
  readonly output: string;
  readonly parameters: number;
}

/** The rows of Keras' `summary()`, and the total. */
export function summarise(network: NetworkOutline): { rows: SummaryRow[]; total: number } {
  return {
    rows: network.map((layer) => ({
      layer: layer.name,
      kind: layer.kind,
      output: shapeOf(layer.output, layer),
      parameters: layer.parameters,
    })),
    total: network.reduce((sum, { parameters }) => sum + parameters, 0),
  };
}

/** "(None, 200)", as Keras writes a batch of any size. */
function shapeOf(size: number, { rows }: Pick<OutlineLayer, "rows">): string {
  return `(${rows ?? "None"}, ${size})`;
}

const WIDTH = 300;
const HEIGHT = 46;
const GAP = 26;
const BETWEEN = 36;
const MARGIN = 2;

interface Box {
  readonly layer: OutlineLayer;
  readonly left: number;
  readonly top: number;
}

/** The drawing as SVG, in the page's colours. */
export function drawNetwork(network: NetworkOutline): Html {
  const boxes = placed(network);
  const right = Math.max(...boxes.map(({ left }) => left)) + WIDTH;
  // Arrows past other boxes have room to the right of the last column.
  const width = right + MARGIN + BETWEEN / 2;
  const height = Math.max(...boxes.map(({ top }) => top)) + HEIGHT + MARGIN;
  const arrows = boxes.flatMap((box) =>
    sourcesOf(boxes, box.layer).map(
      (source) =>
        html`<path d="${arrow(source, box)}" fill="none" stroke="var(--muted)" marker-end="url(#arrow)"/>`,
    ),
  );
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="The network, layer by layer" style="display:block;width:100%;max-width:${width}px;height:auto" font-size="12" fill="var(--ink)" font-family="inherit">
<defs><marker id="arrow" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="var(--muted)"/></marker></defs>
${arrows}${boxes.map(drawBox)}</svg>`;
}

/** Every layer below those that feed it, in its column. */
function placed(network: NetworkOutline): Box[] {
  const rows = new Map<string, number>();
  const overlaps = (layer: OutlineLayer, row: number) =>
    network.some((other) => rows.get(other.name) === row && Math.abs(other.column - layer.column) < 1);
  for (const layer of network) {
    let row = Math.max(-1, ...layer.from.map((source) => rows.get(source) ?? -1)) + 1;
    while (overlaps(layer, row)) row++;
    rows.set(layer.name, row);
  }
  return network.map((layer) => ({
    layer,
    left: MARGIN + layer.column * (WIDTH + BETWEEN),
    top: MARGIN + (rows.get(layer.name) ?? 0) * (HEIGHT + GAP),
  }));
}

function sourcesOf(boxes: readonly Box[], { from }: OutlineLayer): Box[] {
  return boxes.filter(({ layer }) => from.includes(layer.name));
}

/** Down to the next row straight; further down, through the gap next to the source's column, past the boxes in between. */
function arrow(source: Box, target: Box): string {
  const [x1, y1] = [source.left + WIDTH / 2, source.top + HEIGHT];
  const [x2, y2] = [target.left + WIDTH / 2, target.top - 5];
  if (y2 - y1 <= GAP) return `M${x1} ${y1}L${x2} ${y2}`;
  const isLeft = target.left < source.left;
  const side = isLeft ? source.left : source.left + WIDTH;
  const gap = isLeft ? side - BETWEEN / 2 : side + BETWEEN / 2;
  const entry = target.left > source.left ? x2 - WIDTH / 4 : x2 + WIDTH / 4;
  return `M${side} ${source.top + HEIGHT / 2}H${gap}V${y2 - 8}H${entry}V${y2}`;
}

function drawBox({ layer, left: x, top: y }: Box): Html {
  const middle = x + 150;
  const inputs = layer.inputs.map((size) => shapeOf(size, layer));
  const input =
    inputs.length === 1
      ? inputs[0]
      : inputs.every((shape) => shape === inputs[0])
        ? `${inputs.length} × ${inputs[0]}`
        : layer.inputs.map((size) => `${size}`).join(" + ");
  return html`<g><rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="4" fill="var(--soft)" stroke="var(--rule)"/>
<line x1="${middle}" y1="${y}" x2="${middle}" y2="${y + HEIGHT}" stroke="var(--rule)"/>
<line x1="${middle}" y1="${y + HEIGHT / 2}" x2="${x + WIDTH}" y2="${y + HEIGHT / 2}" stroke="var(--rule)"/>
<text x="${x + 8}" y="${y + 19}" font-weight="600">${layer.name}</text><text x="${x + 8}" y="${y + 36}" fill="var(--muted)">${layer.kind}</text>
<text x="${middle + 8}" y="${y + 16}">input: ${input}</text><text x="${middle + 8}" y="${y + 39}">output: ${shapeOf(layer.output, layer)}</text></g>`;
}

/** The drawing and the table of layers, as a section of a page. */
export function networkSection(network: NetworkOutline): Html {
  const { rows, total } = summarise(network);
  return html`<section>
<h2>The network</h2>
${drawNetwork(network)}
<table class="ranking" style="margin-top:1.5rem">
<thead><tr><th scope="col">Layer</th><th scope="col">Kind</th><th scope="col">Output</th><th scope="col">Weights</th></tr></thead>
<tbody>
${rows.map(({ layer, kind, output, parameters }) => html`<tr><th scope="row">${layer}</th><td>${kind}</td><td>${output}</td><td>${count(parameters)}</td></tr>`)}
<tr><th scope="row">total</th><td></td><td></td><td>${count(total)}</td></tr>
</tbody>
</table>
</section>`;
}
