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
  /** Rejects where the store does not answer. */
  check(): Promise<void>;
  close(): Promise<void>;
}
