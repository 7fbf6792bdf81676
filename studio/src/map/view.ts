// The part of the map that is shown.

export interface View {
  /** The point in the middle. */
  readonly x: number;
  readonly y: number;
  /** 1 = the whole map. */
  readonly zoom: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export const WHOLE: View = { x: 0, y: 0, zoom: 1 };
const MOST_ZOOM = 400;
/** The part of the smaller side that the whole map fills. */
const FILLED = 0.94;

/** Pixels for a distance of 1 in the map. */
export const scaleOf = ({ zoom }: View, { width, height }: Size): number =>
  ((Math.min(width, height) * FILLED) / 2) * zoom;

/** The point of the map at a pixel. */
export function pointAt(view: View, size: Size, left: number, top: number): { x: number; y: number } {
  const scale = scaleOf(view, size);
  return { x: view.x + (left - size.width / 2) / scale, y: view.y - (top - size.height / 2) / scale };
}

/** Zooms by a factor; the point at a pixel stays where it is. */
export function zoomed(view: View, size: Size, factor: number, left: number, top: number): View {
  const zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom * factor));
  const { x, y } = pointAt(view, size, left, top);
  const kept = view.zoom / zoom;
  return inside({ x: x + (view.x - x) * kept, y: y + (view.y - y) * kept, zoom });
}

/** Moves by pixels. */
export function moved(view: View, size: Size, left: number, top: number): View {
  const scale = scaleOf(view, size);
  return inside({ ...view, x: view.x - left / scale, y: view.y + top / scale });
}

/** The view of an address: "x,y,zoom". What is not valid shows the whole map. */
export function viewOf(text: string | null): View {
  const [x, y, zoom] = (text ?? "").split(",").map(Number);
  if (![x, y, zoom].every(Number.isFinite)) return WHOLE;
  return inside({ x, y, zoom: Math.min(MOST_ZOOM, Math.max(1, zoom)) });
}

/** The view in an address; empty for the whole map. */
export const viewText = ({ x, y, zoom }: View): string =>
  zoom === 1 && x === 0 && y === 0 ? "" : [x.toFixed(4), y.toFixed(4), zoom.toFixed(2)].join(",");

/** The middle stays on the map. */
function inside({ x, y, zoom }: View): View {
  const within = (value: number) => Math.min(1, Math.max(-1, value));
  return { x: within(x), y: within(y), zoom };
}
