// What one request may ask for, and how long anything may take. Every limit has a default that a small machine can bear.

export interface Limits {
  /** Bytes of a request's body. */
  readonly bodyBytes: number;
  /** Items of one history; of a stored one, the latest that are kept. */
  readonly history: number;
  /** Histories of one request. */
  readonly histories: number;
  /** Recommended items of one history. */
  readonly k: number;
  /** Ids or titles among `exclude` or `candidates`. */
  readonly ids: number;
  /** Items of a history that is to be explained: it is scored once more for each. */
  readonly explained: number;
  /** Reasons in one answer: recommended items times items of the explained history. */
  readonly reasons: number;
  /** Requests of one client address a second, refused ones included; 0 = no limit. */
  readonly perSecond: number;
  /** Histories that may wait for a model; beyond that the answer is 503. */
  readonly waiting: number;
  /** Connections at the same time; fewer where the process may not open as many files. */
  readonly connections: number;
  /** Milliseconds from the end of a request to its answer; after that the answer is 503. */
  readonly answerTime: number;
  /** Milliseconds in which the header of a request must arrive. */
  readonly headerTime: number;
  /** Milliseconds in which a request must arrive as a whole. */
  readonly requestTime: number;
  /** Milliseconds in which a client must take its answer. */
  readonly readTime: number;
  /** Milliseconds that a connection may wait for its next request. */
  readonly idleTime: number;
  /** Bytes of all large request bodies that are being worked on; beyond that the answer is 503. */
  readonly openBodyBytes: number;
  /** Large answers that clients are reading at the same time; beyond that the answer is 503. */
  readonly openAnswers: number;
  /** Bytes that all of those hold in memory. */
  readonly openAnswerBytes: number;
}

export const defaultLimits: Limits = {
  bodyBytes: 1 << 20,
  history: 1000,
  histories: 100,
  k: 1000,
  ids: 10_000,
  explained: 200,
  reasons: 20_000,
  perSecond: 500,
  waiting: 1000,
  connections: 4096,
  answerTime: 10_000,
  headerTime: 10_000,
  requestTime: 15_000,
  readTime: 30_000,
  idleTime: 65_000,
  openBodyBytes: 1 << 26,
  openAnswers: 64,
  openAnswerBytes: 1 << 26,
};
