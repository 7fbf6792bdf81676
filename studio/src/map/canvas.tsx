// The canvas with the map: dragged, zoomed by wheel, pinch and keys, and items selected by click or Enter.

import { useEffect, useRef, useState } from "preact/hooks";
import { count } from "../texts.js";
import { draw, type Palette, paletteOf, type Scene } from "./draw.js";
import { moved, pointAt, type Size, scaleOf, type View, WHOLE, zoomed } from "./view.js";

/** Pixels from a point at which it is still meant. */
const REACH = 12;
/** Pixels of a key. */
const STEP = 60;
const ZOOM = 1.3;
/** Pixels within which a press is a click. */
const CLICK = 4;

interface Props {
  readonly scene: Omit<Scene, "hovered">;
  readonly view: View;
  readonly onView: (view: View) => void;
  readonly onSelect: (item: number) => void;
}

export function MapCanvas({ scene, view, onView, onSelect }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  const [hovered, setHovered] = useState<number>();
  const [palette, setPalette] = useState<Palette>();
  const pointers = useRef(new Map<number, { left: number; top: number }>());
  const pressed = useRef<{ left: number; top: number; isClick: boolean }>(undefined);
  // Several events between two frames build on each other.
  const latest = useRef(view);
  latest.current = view;
  const show = (next: View) => {
    latest.current = next;
    onView(next);
  };

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      const { width, height } = element.getBoundingClientRect();
      setSize({ width: Math.round(width), height: Math.round(height) });
    });
    observer.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const onTheme = () => setPalette(paletteOf(element));
    onTheme();
    dark.addEventListener("change", onTheme);
    return () => {
      observer.disconnect();
      dark.removeEventListener("change", onTheme);
    };
  }, []);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || !palette || size.width === 0) return;
    const frame = requestAnimationFrame(() => {
      const ratio = devicePixelRatio;
      const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)];
      if (element.width !== width) element.width = width;
      if (element.height !== height) element.height = height;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const started = performance.now();
      draw(context, { ...scene, hovered }, view, size, palette);
      performance.measure("map", { start: started });
    });
    return () => cancelAnimationFrame(frame);
  }, [scene, hovered, view, size, palette]);

  // Not an attribute: the page must not scroll, which only a listener that is not passive can prevent.
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const { left, top } = placeOf(event, element);
      const lines = event.deltaMode === 1 ? 16 : 1;
      const factor = Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.002));
      show(zoomed(latest.current, size, factor, left, top));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  });

  const itemAt = (left: number, top: number, reach = REACH) => {
    const { x, y } = pointAt(latest.current, size, left, top);
    return scene.grid.nearest(x, y, reach / scaleOf(latest.current, size));
  };
  const onPointerDown = (event: PointerEvent & { currentTarget: HTMLCanvasElement }) => {
    const place = placeOf(event, event.currentTarget);
    event.currentTarget.setPointerCapture(event.pointerId);
    pointers.current.set(event.pointerId, place);
    pressed.current = { ...place, isClick: pointers.current.size === 1 };
  };
  const onPointerMove = (event: PointerEvent & { currentTarget: HTMLCanvasElement }) => {
    const place = placeOf(event, event.currentTarget);
    const before = pointers.current.get(event.pointerId);
    if (!before) {
      setHovered(itemAt(place.left, place.top));
      return;
    }
    const start = pressed.current;
    if (start && Math.hypot(place.left - start.left, place.top - start.top) > CLICK) start.isClick = false;
    const [other] = [...pointers.current].filter(([id]) => id !== event.pointerId).map(([, one]) => one);
    pointers.current.set(event.pointerId, place);
    if (other) {
      const distance = ({ left, top }: typeof place) => Math.hypot(left - other.left, top - other.top);
      const factor = distance(place) / Math.max(1, distance(before));
      show(zoomed(latest.current, size, factor, other.left, other.top));
    } else if (!start?.isClick)
      show(moved(latest.current, size, place.left - before.left, place.top - before.top));
  };
  const onPointerUp = (event: PointerEvent & { currentTarget: HTMLCanvasElement }) => {
    pointers.current.delete(event.pointerId);
    if (!pressed.current?.isClick) return;
    const { left, top } = placeOf(event, event.currentTarget);
    const item = itemAt(left, top);
    if (item !== undefined) onSelect(item);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const { width, height } = size;
    const moves: Record<string, [number, number]> = {
      ...{ ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] },
    };
    const move = moves[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (move) show(moved(latest.current, size, ...move));
    else if (event.key === "+" || event.key === "=")
      show(zoomed(latest.current, size, ZOOM, width / 2, height / 2));
    else if (event.key === "-") show(zoomed(latest.current, size, 1 / ZOOM, width / 2, height / 2));
    else if (event.key === "0") show(WHOLE);
    else if (event.key === "Enter") {
      const item = itemAt(width / 2, height / 2, Math.max(width, height));
      if (item !== undefined) onSelect(item);
    } else return;
    event.preventDefault();
  };
  const zoomBy = (factor: number) =>
    show(zoomed(latest.current, size, factor, size.width / 2, size.height / 2));
  return (
    <div class="map">
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: the keys of the map are its own. */}
      <canvas
        ref={canvas}
        class={hovered === undefined ? undefined : "pointing"}
        role="application"
        tabIndex={0}
        aria-label={`Map of ${count(scene.map.ids.length)} items. Arrow keys move it, plus and minus zoom, 0 shows all of it, Enter selects the item nearest to the middle. The search and the list of nearest items show the same.`}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerCancel={({ pointerId }) => pointers.current.delete(pointerId)}
        onPointerLeave={() => setHovered(undefined)}
        onKeyDown={onKeyDown}
      />
      <div class="map-buttons">
        <button type="button" aria-label="Zoom in" onClick={() => zoomBy(ZOOM)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => zoomBy(1 / ZOOM)}>
          −
        </button>
        <button type="button" onClick={() => show(WHOLE)}>
          All
        </button>
      </div>
    </div>
  );
}

function placeOf(event: MouseEvent, element: Element): { left: number; top: number } {
  const { left, top } = element.getBoundingClientRect();
  return { left: event.clientX - left, top: event.clientY - top };
}
