// What the studio and the process of a map send to each other.

export interface MapJob {
  /** The run folder. */
  readonly path: string;
  /** Identifies the model's files: a model that has changed makes another job. */
  readonly stamp: string;
  /** Where the map is written. */
  readonly file: string;
}

export interface MapResult {
  readonly file: string;
}
