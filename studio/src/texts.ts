// Numbers, times and names as texts.

const metricNames: Readonly<Record<string, string>> = {
  ndcg: "NDCG",
  recall: "Recall",
  precision: "Precision",
  map: "MAP",
  mrr: "MRR",
  "hit-rate": "Hit rate",
  "recall-plain": "Recall (plain)",
  "long-tail": "Long tail",
};

/** "ndcg@100" -> "NDCG@100". */
export function metricLabel(name: string): string {
  const [kind, k] = name.split("@");
  const label = metricNames[kind] ?? kind.charAt(0).toUpperCase() + kind.slice(1);
  return k === undefined ? label : `${label}@${k}`;
}

/** "12,345" */
export const count = (value: number): string => value.toLocaleString("en-US");

/** "1 run", "2 runs" */
export const plural = (value: number, unit: string): string =>
  `${count(value)} ${unit}${value === 1 ? "" : "s"}`;

/** "0.4 s", "12 s", "3 min 20 s", "2 h 5 min" */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "820 B", "1.4 MiB" */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** "2026-11-27 18:30", local time */
export function moment(milliseconds: number): string {
  const date = new Date(milliseconds - new Date(milliseconds).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16).replace("T", " ");
}
