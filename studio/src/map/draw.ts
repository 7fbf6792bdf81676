// Draws the map on a canvas: points in their colours, and the titles of what is hovered, selected and near it, and of popular items
// where there is room.

import type { ItemMap } from "../../../src/studio/map-api.js";
import type { Grid } from "./grid.js";
import { pointAt, type Size, scaleOf, type View } from "./view.js";

export interface Scene {
  readonly map: ItemMap;
  readonly grid: Grid;
  /** Items by popularity, the most popular one first. */
  readonly order: Uint32Array;
  /** Per item, the place of its colour; -1 = none. */
  readonly codes: readonly number[] | undefined;
  readonly selected: number | undefined;
  readonly hovered: number | undefined;
}

/** The colours of the theme. */
export interface Palette {
  readonly paper: string;
  readonly ink: string;
  readonly muted: string;
  readonly accent: string;
  readonly classes: readonly string[];
}

/** Titles of popular items. */
const MOST_LABELS = 40;
/** Popular items that are tried. */
const TRIED = 400;
const LONGEST_LABEL = 40;
const FONT = 12;

/** Draws a scene; returns the number of points that are shown. */
export function draw(
  context: CanvasRenderingContext2D,
  scene: Scene,
  view: View,
  size: Size,
  palette: Palette,
): number {
  const { map, grid, codes } = scene;
  const { x, y } = map;
  const { width, height } = size;
  const scale = scaleOf(view, size);
  const leftOf = (point: number) => width / 2 + (x[point] - view.x) * scale;
  const topOf = (point: number) => height / 2 - (y[point] - view.y) * scale;
  context.clearRect(0, 0, width, height);
  const side = Math.min(9, 2.4 * view.zoom ** 0.3);
  const from = pointAt(view, size, 0, height);
  const to = pointAt(view, size, width, 0);
  // One path for each colour.
  const shown: number[][] = Array.from({ length: palette.classes.length + 1 }, () => []);
  let count = 0;
  grid.each(from.x, from.y, to.x, to.y, (point) => {
    count++;
    const code = codes?.[point] ?? -1;
    shown[code < 0 ? palette.classes.length : code % palette.classes.length].push(point);
  });
  const isPlain = codes === undefined;
  for (const [code, points] of [...shown.entries()].reverse()) {
    context.fillStyle = palette.classes[code] ?? (isPlain ? palette.accent : palette.muted);
    context.globalAlpha = palette.classes[code] === undefined && !isPlain ? 0.35 : 0.75;
    context.beginPath();
    for (const point of points) context.rect(leftOf(point) - side / 2, topOf(point) - side / 2, side, side);
    context.fill();
  }
  context.globalAlpha = 1;
  labels(context, scene, size, palette, { leftOf, topOf, side });
  return count;
}

interface Places {
  leftOf(point: number): number;
  topOf(point: number): number;
  readonly side: number;
}

function labels(
  context: CanvasRenderingContext2D,
  { map, order, selected, hovered }: Scene,
  { width, height }: Size,
  palette: Palette,
  { leftOf, topOf, side }: Places,
): void {
  const taken: [left: number, top: number, right: number, bottom: number][] = [];
  context.textBaseline = "middle";
  context.lineJoin = "round";
  const place = (point: number, kind: "chosen" | "near" | "popular"): boolean => {
    const [left, top] = [leftOf(point), topOf(point)];
    if (left < 0 || top < 0 || left > width || top > height) return false;
    const title = map.titles[point];
    const text = title.length > LONGEST_LABEL ? `${title.slice(0, LONGEST_LABEL - 1)}…` : title;
    context.font = `${kind === "chosen" ? "600 " : ""}${FONT}px system-ui, sans-serif`;
    const length = context.measureText(text).width;
    // On the left where there is no room on the right.
    const start = left + side + 4 + length > width ? left - side - 4 - length : left + side + 4;
    const box = [start - 3, top - FONT * 0.7, start + length + 3, top + FONT * 0.7] as const;
    const isFree = taken.every(([l, t, r, b]) => box[2] < l || box[0] > r || box[3] < t || box[1] > b);
    if (!isFree && kind !== "chosen") return false;
    taken.push([...box]);
    if (kind !== "popular") {
      context.strokeStyle = kind === "chosen" ? palette.ink : palette.muted;
      context.lineWidth = kind === "chosen" ? 2.5 : 1.5;
      context.beginPath();
      context.arc(left, top, side / 2 + 4, 0, 2 * Math.PI);
      context.stroke();
    }
    context.strokeStyle = palette.paper;
    context.lineWidth = 3.5;
    context.strokeText(text, start, top);
    context.fillStyle = kind === "popular" ? palette.muted : palette.ink;
    context.fillText(text, start, top);
    return true;
  };
  for (const point of [hovered, selected]) if (point !== undefined) place(point, "chosen");
  if (selected !== undefined)
    for (const point of map.near.slice(selected * map.nearest, (selected + 1) * map.nearest))
      place(point, "near");
  let count = 0;
  let tried = 0;
  for (const point of order) {
    if (count >= MOST_LABELS || tried >= TRIED) break;
    const [left, top] = [leftOf(point), topOf(point)];
    if (left < 0 || top < 0 || left > width || top > height || point === selected || point === hovered)
      continue;
    tried++;
    if (place(point, "popular")) count++;
  }
}

/** The colours of the page's theme. */
export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    ...{ paper: colour("paper"), ink: colour("ink"), muted: colour("muted"), accent: colour("accent") },
    classes: Array.from({ length: 8 }, (_, place) => colour(`run-${place}`)),
  };
}
