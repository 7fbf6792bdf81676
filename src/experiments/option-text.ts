/** The name of an option within its group. */
export function ownName(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** Options in the form of `--set`, "name=value" each; those of a group as "<group>.<option>=value". */
export function optionTexts(options: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(options).flatMap(([name, value]) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? optionTexts(value as Record<string, unknown>).map((text) => `${name}.${text}`)
      : [`${name}=${optionText(value)}`],
  );
}

/** An option's value as text, in the form of `--set name=`; "unset" for none. */
export function optionText(value: unknown): string {
  if (value === undefined || value === null) return "unset";
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.length > 0) return value.map(optionText).join(",");
  return JSON.stringify(value);
}
