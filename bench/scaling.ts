// The sizes of the row `scaling`, and the exponents fitted to the measurements.

import { median } from "./contest.js";

export const sizes = [
  ...[1, 2, 4, 8].map((times) => ({ along: "users", users: 4000 * times, items: 5000 })),
  ...[1, 2, 4].map((times) => ({ along: "items", users: 4000, items: 5000 * times })),
];

/** The exponent b of seconds = a * size^b, by least squares on the logarithms. */
function slope(points: readonly (readonly [number, number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (k: 0 | 1) => logs.reduce((sum, point) => sum + point[k], 0) / logs.length;
  const [x, y] = [mean(0), mean(1)];
  const covariance = logs.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return covariance / logs.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}

/** Fits both exponents to the medians of several rounds of measurements in the order of `sizes`. */
export function fitScaling(seconds: readonly number[]): Record<string, unknown> {
  const measured = sizes.map((size, k) => ({
    ...size,
    seconds: median(seconds.filter((_, at) => at % sizes.length === k)),
  }));
  const along = (which: "users" | "items") =>
    slope(measured.filter((size) => size.along === which).map((size) => [size[which], size.seconds]));
  return { slopeInUsers: along("users"), slopeInItems: along("items"), measured };
}
