// What one request may ask for. Every limit has a default that a small machine can bear.

export interface Limits {
  /** Bytes of a request's body. */
  readonly bodyBytes: number;
  /** Items of one history; of a stored one, the latest that are kept. */
  readonly history: number;
  /** Histories of one request. */
  readonly histories: number;
  /** Recommended items of one history. */
  readonly k: number;
  /** Ids among `exclude` or `candidates`. */
  readonly ids: number;
  /** Items of a history that is to be explained: it is scored once more for each. */
  readonly explained: number;
  /** Requests of one client address a second; 0 = no limit. */
  readonly perSecond: number;
  /** Histories that may wait for a model; beyond that the answer is 503. */
  readonly waiting: number;
}

export const defaultLimits: Limits = {
  bodyBytes: 1 << 20,
  history: 1000,
  histories: 100,
  k: 1000,
  ids: 10_000,
  explained: 200,
  perSecond: 500,
  waiting: 1000,
};
