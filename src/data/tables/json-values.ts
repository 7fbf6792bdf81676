// Converts JSON values to the text of a table, and checks ids. Values in MongoDB's Extended JSON are unwrapped.

import { jsonNested, jsonNull, jsonNumber, jsonString, stringOf } from "./json-lines.js";

/** The text of a value; null for null; undefined if an escape in a string is not valid. */
export function textOfJson(bytes: Uint8Array, kind: number): Uint8Array | null | undefined {
  if (kind === jsonNull) return null;
  if (kind === jsonString) {
    if (!bytes.includes(92)) return bytes;
    const text = stringOf(bytes);
    return text === undefined ? undefined : Buffer.from(text, "utf8");
  }
  if (kind !== jsonNested) return bytes;
  const wrapped = unwrapped(bytes);
  return wrapped === undefined ? bytes : Buffer.from(wrapped, "utf8");
}

/**
 * The text of a value that can be an id: a string unchanged, a whole number in plain notation. For any other value, `wrong`
 * describes it in words.
 */
export function idOfJson(bytes: Uint8Array, kind: number): { text: Uint8Array | null } | { wrong: string } {
  const shown = () => {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 41)).toString("utf8");
    return text.length > 40 ? `${text.slice(0, 40)}...` : text;
  };
  if (kind === jsonNull) return { text: null };
  if (kind === jsonString) {
    const text = textOfJson(bytes, kind);
    if (text == null) return { wrong: "text with an invalid escape" };
    return text.includes(0) ? { wrong: "text with a NUL character" } : { text };
  }
  if (kind === jsonNumber) {
    const whole = wholeNumber(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1"));
    return whole === undefined ? { wrong: `the number ${shown()}` } : { text: Buffer.from(whole, "latin1") };
  }
  if (kind === jsonNested) {
    const wrapped = unwrapped(bytes);
    const isNumber = wrapped !== undefined && Buffer.from(bytes).includes("$number");
    const id = isNumber ? wholeNumber(wrapped) : wrapped;
    if (id !== undefined && id !== "") return { text: Buffer.from(id, "utf8") };
    return { wrong: `${bytes[0] === 91 ? "a list" : "an object"}: ${shown()}` };
  }
  return { wrong: shown() };
}

/** A whole number in plain decimal notation with all of its digits; undefined if it is not whole. */
export function wholeNumber(text: string): string | undefined {
  if (/^(?:0|-?[1-9]\d*)$/.test(text)) return text;
  const [, sign, whole, fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const shift = Number(exponent);
  if (Math.abs(shift) > 400) return undefined;
  const digits = whole + fraction;
  const point = whole.length + shift;
  const before = point <= 0 ? "0" : digits.slice(0, point).padEnd(point, "0");
  const after = point <= 0 ? digits : digits.slice(point);
  if (/[1-9]/.test(after)) return undefined;
  const plain = before.replace(/^0+(?=\d)/, "");
  return plain === "0" ? "0" : sign + plain;
}

/** The value inside Extended JSON ({"$oid": x}, {"$numberLong": "5"}, {"$date": ...}), as text; undefined for any other object. */
function unwrapped(bytes: Uint8Array): string | undefined {
  if (bytes[0] !== 123 || bytes.length > 200) return undefined;
  const value = JSON.parse(
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"),
  ) as object;
  const entries = Object.entries(value);
  return entries.length === 1 ? unwrappedEntry(entries[0][0], entries[0][1]) : undefined;
}

function unwrappedEntry(key: string, value: unknown): string | undefined {
  switch (key) {
    case "$oid":
    case "$uuid":
    case "$symbol":
      return typeof value === "string" ? value : undefined;
    case "$numberInt":
    case "$numberLong":
    case "$numberDouble":
    case "$numberDecimal":
      if (typeof value === "string") return value.trim();
      return typeof value === "number" && (Number.isSafeInteger(value) || !Number.isInteger(value))
        ? String(value)
        : undefined;
    case "$date": {
      if (typeof value === "string") return value;
      const milliseconds = millisecondsOf(value);
      return milliseconds === undefined || Math.abs(milliseconds) > 8.64e15
        ? undefined
        : new Date(milliseconds).toISOString();
    }
    default:
      return undefined;
  }
}

function millisecondsOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "object" || value === null || !("$numberLong" in value)) return undefined;
  const number = Number(value.$numberLong);
  return Number.isSafeInteger(number) ? number : undefined;
}
