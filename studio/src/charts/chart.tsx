// A chart as wide as its place. A screen reader is given the label; what the chart shows stands in a table below it.

import { useEffect, useRef, useState } from "preact/hooks";
import type { ChartSpec } from "./draw.js";

interface Props {
  /** The specification for a width in pixels. */
  readonly spec: (width: number) => ChartSpec;
  readonly label: string;
  /** Space that is kept for the chart, in pixels; default 300. */
  readonly height?: number;
}

export function Chart({ spec, label, height = 300 }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = place.current;
    if (!element || width < 50) return;
    let release: (() => void) | undefined;
    let isStale = false;
    const work = async () => {
      // The rest of the page comes first: Vega is large.
      await new Promise((idle) => requestIdleCallback(idle, { timeout: 1000 }));
      if (isStale) return;
      const { draw } = await import("./draw.js");
      if (isStale) return;
      const done = await draw(spec(width), element);
      if (isStale) done();
      else release = done;
      setProblem(undefined);
    };
    work().catch((error: Error) => setProblem(error.message));
    return () => {
      isStale = true;
      release?.();
    };
  }, [spec, width]);
  return (
    <>
      {problem !== undefined && <p class="warning">The chart cannot be drawn: {problem}</p>}
      <div class="chart" style={{ minHeight: height }} ref={place} role="img" aria-label={label} />
    </>
  );
}
