// A network as a list of layers, for reports: what each layer is, its shapes, its numbers of weights, and what feeds it.

export interface OutlineLayer {
  /** Unique within the network. */
  readonly name: string;
  /** For people: "Dense, tanh". */
  readonly kind: string;
  /** Sizes of what feeds it; that of its own output for an input. */
  readonly inputs: readonly number[];
  readonly output: number;
  /** Rows of its output, where they are not the users of a batch. */
  readonly rows?: number;
  readonly parameters: number;
  /** The names of the layers that feed it. */
  readonly from: readonly string[];
  /** Where it is drawn, in widths of a box from the left. */
  readonly column: number;
}

/** In an order in which every layer follows those that feed it. */
export type NetworkOutline = readonly OutlineLayer[];

interface Place {
  /** Default: the last layer. */
  readonly from?: readonly string[];
  /** Default: that of the first layer in `from`. */
  readonly column?: number;
}

interface Dense extends Place {
  /** A gated linear unit instead of the activation: twice the weights. */
  readonly gated?: boolean;
  /** Weights that are other layers' too. Default: none. */
  readonly tied?: boolean;
}

/** Builds an outline from the input on; every method returns the name of the layer that it adds. */
export class OutlineBuilder {
  readonly layers: OutlineLayer[] = [];

  /** A layer without weights, unless `parameters` says otherwise; as wide as what feeds it, unless `output` says otherwise. */
  add(
    name: string,
    kind: string,
    {
      from = this.layers.slice(-1).map((layer) => layer.name),
      column,
      output,
      rows,
      parameters = 0,
    }: Place & { output?: number; rows?: number; parameters?: number } = {},
  ): string {
    const sources = from.map((source) => this.#find(source));
    const width = output ?? sources[0].output;
    const inputs = sources.length > 0 ? sources.map((source) => source.output) : [width];
    const at = column ?? sources[0].column;
    this.layers.push({
      name,
      kind,
      inputs,
      output: width,
      ...(rows && { rows }),
      parameters,
      from,
      column: at,
    });
    return name;
  }

  /** A dense layer with biases over its inputs side by side. */
  dense(
    name: string,
    output: number,
    activation: string,
    { from = this.layers.slice(-1).map((layer) => layer.name), gated, tied, column }: Dense = {},
  ): string {
    const inputs = from.reduce((sum, source) => sum + this.#find(source).output, 0);
    const weights = (tied ? 0 : inputs * output) + output;
    const kind = gated ? "Dense, gated" : `Dense, ${activation}`;
    return this.add(name, kind, { from, output, column, parameters: gated ? 2 * weights : weights });
  }

  #find(name: string): OutlineLayer {
    const layer = this.layers.find((one) => one.name === name);
    if (!layer) throw new Error(`an outline without the layer ${name}`);
    return layer;
  }
}
