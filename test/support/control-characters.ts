// What no program may write to a terminal of what it was given: it moves the cursor, forges lines or reverses the text.

/** Every control character but the line break; separators of lines, bidirectional controls and what has no width. */
export const controlCharacters =
  /(?!\n)\p{Cc}|[\p{Zl}\p{Zp}\u200b\u200e\u200f\u2060\ufeff\u061c\u202a-\u202e\u2066-\u2069]/u;
