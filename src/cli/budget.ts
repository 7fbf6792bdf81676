// A time given on the command line, such as 30m.

import { InvalidArgumentError } from "commander";

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, min: 60, h: 3600, d: 86_400 };

/** The seconds of "90s", "30m", "1h30m", "2h". */
export function budget(text: string): number {
  const parts = [...text.toLowerCase().matchAll(/(\d+(?:\.\d+)?)(min|[smhd])/g)];
  const total = parts.reduce((sum, [, number, unit]) => sum + Number(number) * seconds[unit], 0);
  if (parts.map(([part]) => part).join("") !== text.toLowerCase() || !(total > 0))
    throw new InvalidArgumentError("Expected a time with units, such as 30m, 90s or 1h30m.");
  return total;
}
