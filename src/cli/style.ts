// Bold, dim and coloured text on terminals, unless NO_COLOR is set (no-color.org).

export interface Styles {
  bold(text: string): string;
  dim(text: string): string;
  accent(text: string): string;
}

/** Whether styles are shown on a stream. */
export function isStyled(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
}

export function styles(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Styles {
  const on = isStyled(stream, env);
  const wrap = (start: number, end: number) => (text: string) =>
    on && text !== "" ? `\u001b[${start}m${text}\u001b[${end}m` : text;
  return { bold: wrap(1, 22), dim: wrap(2, 22), accent: wrap(36, 39) };
}
