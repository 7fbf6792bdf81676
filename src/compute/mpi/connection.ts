// The connection of the members of a run by MPI. Tensors are exchanged by the queue of the native engine; bytes (results of a
// ranking, settings) off the event loop while nothing is queued.

import { setImmediate } from "node:timers/promises";
import type { Connection, Message } from "../communicator.js";
import type { Engine } from "../engine.js";
import { type MpiBinding, mpiBinding, NativeEngine } from "../engines/native.js";

export class MpiConnection implements Connection {
  readonly rank: number;
  readonly size: number;
  readonly #mpi: MpiBinding;
  #turn: Promise<unknown> = Promise.resolve();
  #sent = 0;

  /** Starts MPI, whose library must have been loaded (`requireMpi`). Once per process. */
  constructor() {
    const binding = mpiBinding();
    if ("reason" in binding) throw new Error(binding.reason);
    this.#mpi = binding.mpi;
    [this.rank, this.size] = this.#mpi.mpiStart();
  }

  /** Bytes of tensors that this member has sent so far. */
  get sent(): number {
    return this.#sent;
  }

  exchange(engine: Engine, sends: readonly Message[], receives: readonly Message[]): void {
    if (!(engine instanceof NativeEngine))
      throw new Error("only the native engine exchanges tensors with other members");
    for (const { tensor } of sends) this.#sent += 4 * tensor.rows * tensor.columns;
    engine.exchange(sends, receives);
  }

  gather(bytes: Uint8Array, root?: number): Promise<readonly Uint8Array[]> {
    const result = this.#turn.then(() => this.#mpi.mpiGather(bytes, root));
    // A failure is reported to whom it concerns; later calls fail by themselves.
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Ends MPI once all members do. */
  async end(): Promise<void> {
    // What was called without waiting for it has its turn first.
    await setImmediate();
    await this.#turn;
    this.#mpi.mpiEnd();
  }

  /** Ends the processes of all members. */
  abort(code: number): void {
    this.#mpi.mpiAbort(code);
  }
}
