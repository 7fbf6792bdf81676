// A client that speaks HTTP by hand: half of it, too slowly, or wrongly.

import { connect, type Socket } from "node:net";

export interface RawClient {
  readonly socket: Socket;
  /** What has come so far. */
  text(): string;
  /** Resolves to what has come, once the server has ended the connection; rejects after so many milliseconds. */
  closed(within?: number): Promise<string>;
}

/** Connects to a server's address, such as http://127.0.0.1:8080, and sends the text. */
export async function rawClient(address: string, text: string | Buffer = ""): Promise<RawClient> {
  const { hostname, port } = new URL(address);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const pieces: Buffer[] = [];
  const all = () => Buffer.concat(pieces).toString("latin1");
  socket.on("data", (piece) => pieces.push(piece));
  // A reset is an end too.
  socket.on("error", () => {});
  // The server's end is enough: it must not wait for ours.
  const close = new Promise<void>((done) => {
    socket.once("end", done);
    socket.once("close", () => done());
  });
  await new Promise<void>((done, fail) => {
    socket.once("connect", done);
    socket.once("error", fail);
  });
  if (text.length > 0) socket.write(text);
  return {
    socket,
    text: all,
    async closed(within = 10_000) {
      let late: NodeJS.Timeout | undefined;
      const never = new Promise<never>((_, fail) => {
        late = setTimeout(() => fail(new Error(`still open after ${within} ms, with: ${all()}`)), within);
      });
      await Promise.race([close, never]).finally(() => clearTimeout(late));
      return all();
    },
  };
}
