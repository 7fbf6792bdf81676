// The store for user histories: the items of each user, each once, with the time of the last interaction.

export interface StoredEvent {
  /** The item's id. */
  readonly item: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface HistoryStore {
  readonly kind: "sqlite" | "postgres";
  /**
   * Adds events to a user's history; an existing item gets the later of both times. Resolves once the events are durable.
   * The latest `keep` items of the history are kept.
   */
  add(user: string, events: readonly StoredEvent[], keep: number): Promise<void>;
  /** The latest events of a user, at most `most`, oldest first; empty for an unknown user. */
  history(user: string, most: number): Promise<StoredEvent[]>;
  /** Deletes a user; resolves to the number of deleted items. */
  remove(user: string): Promise<number>;
  /** Rejects if the store does not respond or cannot be written. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** The format version that both stores write, and the newest that they read. */
export const STORE_FORMAT = 1;

/**
 * Why an operation failed: another process holds a lock, the disk is full, the file was deleted or replaced, or another
 * reason, which is in the message.
 */
export type StoreTrouble = "busy" | "full" | "gone" | "failed";

/** The methods of a store reject with this error if the store fails. A rejected write may be repeated. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly trouble: StoreTrouble;

  constructor(trouble: StoreTrouble, message: string) {
    super(message);
    this.trouble = trouble;
  }
}
