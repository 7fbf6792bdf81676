/** An option's value as text: what `--set name=` takes; "unset" for none. */
export function optionText(value: unknown): string {
  if (value === undefined || value === null) return "unset";
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.length > 0) return value.map(optionText).join(",");
  return JSON.stringify(value);
}
