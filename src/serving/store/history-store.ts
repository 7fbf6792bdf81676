// Where the histories of users are kept: what each user touched, once per item, with the last time.

export interface StoredEvent {
  /** The item's id. */
  readonly item: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface HistoryStore {
  readonly kind: "sqlite" | "postgres";
  /**
   * Adds events to a user's history; an item that is there already keeps the later time. Resolves once a crash cannot
   * lose them. Of a history the latest `keep` items stay.
   */
  add(user: string, events: readonly StoredEvent[], keep: number): Promise<void>;
  /** A user's latest events, at most `most`, oldest first; empty for a user of whom nothing is known. */
  history(user: string, most: number): Promise<StoredEvent[]>;
  /** Forgets a user; resolves to the number of items forgotten. */
  remove(user: string): Promise<number>;
  /** Rejects where the store does not answer, or cannot take what it is given. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** The format of what both stores write, and the newest that is read. */
export const STORE_FORMAT = 1;

/**
 * Why a store does not do what it was asked: another process keeps it locked, there is no space left on its disk, its file
 * was deleted or replaced, or anything else (its message says what).
 */
export type StoreTrouble = "busy" | "full" | "gone" | "failed";

/** Every method of a store rejects with this where the store is at fault; a write that was refused may be repeated. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly trouble: StoreTrouble;

  constructor(trouble: StoreTrouble, message: string) {
    super(message);
    this.trouble = trouble;
  }
}
