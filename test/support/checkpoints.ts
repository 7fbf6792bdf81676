// A checkpoint store in memory, which remembers every checkpoint; what it holds is a copy, as on disk.
import type { Checkpoint, CheckpointStore } from "../../src/recommender/run-context.js";

export class MemoryCheckpoints implements CheckpointStore {
  readonly everySeconds: number;
  readonly saved: Checkpoint[] = [];

  constructor(everySeconds = 0, first?: Checkpoint) {
    this.everySeconds = everySeconds;
    if (first) this.saved.push(first);
  }

  async load(): Promise<Checkpoint | undefined> {
    return structuredClone(this.saved.at(-1));
  }

  async save(checkpoint: Checkpoint): Promise<void> {
    this.saved.push(structuredClone(checkpoint));
  }
}
