// Limits on the size of requests and on times. The defaults are suitable for a small machine.

export interface Limits {
  /** Bytes of a request body. */
  readonly bodyBytes: number;
  /** Items of a history; of a stored history, the latest items are kept. */
  readonly history: number;
  /** Histories per request. */
  readonly histories: number;
  /** Recommended items per history. */
  readonly k: number;
  /** Ids or titles in `exclude` or `candidates`. */
  readonly ids: number;
  /** Ids in each list of a change of availability. */
  readonly availability: number;
  /** Items of a history with an explanation, which scores the history once more per item. */
  readonly explained: number;
  /** Reasons in one answer: recommended items times history items. */
  readonly reasons: number;
  /** Requests per second and client address, including rejected ones; 0 = no limit. */
  readonly perSecond: number;
  /** Histories waiting for a model; beyond that the answer is 503. */
  readonly waiting: number;
  /** Concurrent connections; fewer if the file descriptor limit of the process requires it. */
  readonly connections: number;
  /** Milliseconds from the end of a request to its answer; after that the answer is 503. */
  readonly answerTime: number;
  /** Milliseconds until the header of a request must have arrived. */
  readonly headerTime: number;
  /** Milliseconds until a complete request must have arrived. */
  readonly requestTime: number;
  /** Milliseconds until a client must have read its answer. */
  readonly readTime: number;
  /** Milliseconds that a connection may be idle between requests. */
  readonly idleTime: number;
  /** Total bytes of large request bodies in progress; beyond that the answer is 503. */
  readonly openBodyBytes: number;
  /** Large answers that clients are reading; beyond that the answer is 503. */
  readonly openAnswers: number;
  /** Total bytes of these answers in memory. */
  readonly openAnswerBytes: number;
}

export const defaultLimits: Limits = {
  bodyBytes: 1 << 20,
  history: 1000,
  histories: 100,
  k: 1000,
  ids: 10_000,
  availability: 100_000,
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
