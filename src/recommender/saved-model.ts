// A saved model while it is restored. Its files may come from a stranger: a model asks for its configuration and for each tensor
// by name and shape, and says when it has asked for all. What is missing, left over or another thing is refused with its name,
// in one sentence for all models, before anything of the size that a configuration names is allocated.

import { z } from "zod";
import type { Engine } from "../compute/engine.js";
import { type TensorKinds, type TensorShape, takeTensor } from "../compute/named-tensors.js";
import { writeTensor } from "../compute/parameter.js";
import type { Tensor } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";
import type { CsrMatrix } from "../sparse/csr.js";
import type { ModelFiles } from "./recommender.js";

/** The names of a sparse matrix's tensors. */
export interface SparseNames {
  readonly offsets: string;
  readonly indices: string;
  /** Absent where all values are 1. */
  readonly values?: string;
}

export class SavedModel {
  readonly #files: Pick<ModelFiles, "algorithm" | "config" | "tensors">;
  readonly #taken = new Set<string>();

  constructor(files: Pick<ModelFiles, "algorithm" | "config" | "tensors">) {
    this.#files = files;
  }

  /** The error of a model whose files do not fit together. */
  unsound(problem: string, cause?: unknown): UserError {
    return new UserError({
      place: this.#files.algorithm,
      problem: `the saved model is not sound: ${problem}`,
      remedy: "Copy or train it again",
      cause,
    });
  }

  /** The configuration. Throws UserError where it does not fit the schema. */
  config<Config>(schema: z.ZodType<Config>): Config {
    const parsed = schema.safeParse(this.#files.config);
    if (parsed.success) return parsed.data;
    throw this.unsound(z.prettifyError(parsed.error), parsed.error);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#files.tensors, name);
  }

  /** The numbers of a tensor, as they lie in the file's memory. Throws UserError where it is missing, or not of this shape and kind. */
  take<Kind extends keyof TensorKinds = "numbers">(
    name: string,
    shape: TensorShape,
    kind?: Kind,
  ): TensorKinds[Kind] {
    try {
      const data = takeTensor(this.#files.tensors, name, shape, kind);
      this.#taken.add(name);
      return data;
    } catch (error) {
      throw error instanceof UserError ? this.unsound(error.message, error) : error;
    }
  }

  /** A sparse matrix; without a number of rows, as many as it has. Throws UserError where its tensors are not one. */
  takeSparse(names: SparseNames, { rows, columns }: { rows?: number; columns: number }): CsrMatrix {
    const offsets = this.take(names.offsets, [rows === undefined ? undefined : rows + 1], "whole numbers");
    const ascends = offsets.every((offset, row) => row === 0 || offset >= offsets[row - 1]);
    if (offsets[0] !== 0 || !ascends)
      throw this.unsound(`tensor ${names.offsets}: does not say where each row begins`);
    const entries = offsets[offsets.length - 1];
    const indices = this.take(names.indices, [entries], "whole numbers");
    if (indices.some((index) => index >= columns))
      throw this.unsound(`tensor ${names.indices}: has an index beyond ${columns}`);
    const values = names.values === undefined ? undefined : this.take(names.values, [entries], "float32");
    return { rows: offsets.length - 1, columns, offsets, indices, ...(values && { values }) };
  }

  /** A tensor in the engine's memory, which the caller releases; the event loop turns meanwhile. Throws as `take`. */
  async load(engine: Engine, name: string, rows: number, columns: number): Promise<Tensor> {
    const data = this.take(name, [rows, columns]);
    const tensor = engine.empty(rows, columns);
    try {
      await writeTensor(engine, tensor, data);
    } catch (error) {
      engine.release(tensor);
      throw error;
    }
    return tensor;
  }

  /** Call once all tensors are taken. Throws UserError where the files hold others. */
  end(): void {
    const extra = Object.keys(this.#files.tensors).find((name) => !this.#taken.has(name));
    if (extra !== undefined) throw this.unsound(`tensor ${extra}: is not one of ${this.#files.algorithm}'s`);
  }
}
