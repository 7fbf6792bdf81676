// Finds points near a place: they are sorted into the cells of a grid once.

export class Grid {
  readonly #x: ArrayLike<number>;
  readonly #y: ArrayLike<number>;
  /** Cells in each direction. */
  readonly #cells: number;
  /** The points of cell c are `#points` from `#starts[c]` to `#starts[c + 1]`. */
  readonly #starts: Uint32Array;
  readonly #points: Uint32Array;

  /** Points with coordinates from -1 to 1. */
  constructor(x: ArrayLike<number>, y: ArrayLike<number>) {
    this.#x = x;
    this.#y = y;
    this.#cells = Math.max(1, Math.ceil(Math.sqrt(x.length / 4)));
    const starts = new Uint32Array(this.#cells ** 2 + 1);
    const cells = Uint32Array.from({ length: x.length }, (_, point) => this.#cellOf(x[point], y[point]));
    for (const cell of cells) starts[cell + 1]++;
    for (let cell = 0; cell < starts.length - 1; cell++) starts[cell + 1] += starts[cell];
    const next = starts.slice();
    this.#points = new Uint32Array(x.length);
    for (const [point, cell] of cells.entries()) this.#points[next[cell]++] = point;
    this.#starts = starts;
  }

  /** The nearest point within a distance, ties by index; undefined if there is none. */
  nearest(x: number, y: number, within: number): number | undefined {
    let found: number | undefined;
    let best = within * within;
    this.each(x - within, y - within, x + within, y + within, (point) => {
      const distance = (this.#x[point] - x) ** 2 + (this.#y[point] - y) ** 2;
      if (distance < best || (distance === best && (found === undefined || point < found))) {
        best = distance;
        found = point;
      }
    });
    return found;
  }

  /** Calls `visit` with the points of all cells that touch a rectangle: those within it, and some near it. */
  each(left: number, bottom: number, right: number, top: number, visit: (point: number) => void): void {
    const [firstColumn, lastColumn] = [this.#lineOf(left), this.#lineOf(right)];
    for (let row = this.#lineOf(bottom); row <= this.#lineOf(top); row++)
      for (let column = firstColumn; column <= lastColumn; column++) {
        const cell = row * this.#cells + column;
        for (let at = this.#starts[cell]; at < this.#starts[cell + 1]; at++) visit(this.#points[at]);
      }
  }

  #cellOf(x: number, y: number): number {
    return this.#lineOf(y) * this.#cells + this.#lineOf(x);
  }

  #lineOf(coordinate: number): number {
    return Math.min(this.#cells - 1, Math.max(0, Math.floor(((coordinate + 1) / 2) * this.#cells)));
  }
}
