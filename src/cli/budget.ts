// A time given on the command line, such as 30m.

import { InvalidArgumentError } from "commander";

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600, d: 86_400 };

/** The seconds of "90s", "30m", "1h30m", "2h". */
export function budget(text: string): number {
  // Numbers and units take turns.
  const parts = text.toLowerCase().split(/([a-z]+)/);
  const last = parts.pop();
  let total = last === "" && parts.length > 0 ? 0 : Number.NaN;
  for (let at = 0; at < parts.length; at += 2) {
    const [number, unit] = parts.slice(at, at + 2);
    const isNumber = /^[\d.]+$/.test(number);
    total += isNumber && Object.hasOwn(seconds, unit) ? Number(number) * seconds[unit] : Number.NaN;
  }
  if (!(total > 0 && total < Infinity))
    throw new InvalidArgumentError("Expected a time with units, such as 30m, 90s or 1h30m.");
  return total;
}
