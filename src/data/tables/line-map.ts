// Maps rows to the lines of a file. Only changes of the offset between the two are stored (blank lines, line breaks in fields).

/** The number of changes that are stored; after the last of them, a row is named by its number. */
const mostChanges = 1 << 20;

export class LineMap {
  #rows = 0;
  #offset = 0;
  readonly #changedAt: number[] = [];
  readonly #offsets: number[] = [];

  /** Adds the line (from 1) of the next row. */
  add(line: number): void {
    const offset = line - this.#rows;
    if (offset !== this.#offset) {
      this.#offset = offset;
      if (this.#changedAt.length <= mostChanges) {
        this.#changedAt.push(this.#rows);
        this.#offsets.push(offset);
      }
    }
    this.#rows++;
  }

  /** The line of a row (from 0); undefined if it is not known. */
  lineOf(row: number): number | undefined {
    let low = 0;
    let high = this.#changedAt.length;
    while (low < high) {
      const half = (low + high) >>> 1;
      if (this.#changedAt[half] <= row) low = half + 1;
      else high = half;
    }
    if (low === 0 || (low > mostChanges && low === this.#changedAt.length)) return undefined;
    return row + this.#offsets[low - 1];
  }
}
