// Moves through the pages of a list.

import { count } from "./texts.js";

interface Props {
  readonly from: number;
  readonly rows: number;
  readonly total: number;
  /** What is listed: "items". */
  readonly what: string;
  readonly onMove: (from: number) => void;
}

export function Pager({ from, rows, total, what, onMove }: Props) {
  if (total <= rows) return null;
  return (
    <div class="pager">
      <button type="button" disabled={from === 0} onClick={() => onMove(Math.max(0, from - rows))}>
        Previous<span class="hidden"> {what}</span>
      </button>
      <span>
        {count(from + 1)}–{count(Math.min(total, from + rows))} of {count(total)}
      </span>
      <button type="button" disabled={from + rows >= total} onClick={() => onMove(from + rows)}>
        Next<span class="hidden"> {what}</span>
      </button>
    </div>
  );
}
