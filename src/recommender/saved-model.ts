// A saved model that is being restored. Its files are not trusted: the model reads its configuration and each tensor by name and
// shape, and then calls `end`. Missing, unexpected or different tensors are reported by name, in the same form for all models,
// before anything of a size given in the configuration is allocated.

import { z } from "zod";
import type { Engine } from "../compute/engine.js";
import { requireTensor, type TensorKinds, type TensorShape, takeTensor } from "../compute/named-tensors.js";
import { writeHostTensor } from "../compute/parameter.js";
import type { Tensor } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";
import type { CsrMatrix } from "../sparse/csr.js";
import type { ModelFiles } from "./recommender.js";

/** The tensor names of a sparse matrix. */
export interface SparseNames {
  readonly offsets: string;
  readonly indices: string;
  /** Absent if all values are 1. */
  readonly values?: string;
}

export class SavedModel {
  readonly #files: Pick<ModelFiles, "algorithm" | "config" | "tensors">;
  readonly #taken = new Set<string>();

  constructor(files: Pick<ModelFiles, "algorithm" | "config" | "tensors">) {
    this.#files = files;
  }

  /** The error for a model whose files are not consistent. */
  unsound(problem: string, cause?: unknown): UserError {
    return new UserError({
      place: this.#files.algorithm,
      problem: `the saved model is not valid: ${problem}`,
      remedy: "Copy the model again, or train it again",
      cause,
    });
  }

  /** The configuration. Throws UserError if it does not match the schema. */
  config<Config>(schema: z.ZodType<Config>): Config {
    const parsed = schema.safeParse(this.#files.config);
    if (parsed.success) return parsed.data;
    throw this.unsound(z.prettifyError(parsed.error), parsed.error);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#files.tensors, name);
  }

  /** Checks a tensor without reading its numbers. Throws like `take`. */
  require(name: string, shape: TensorShape): void {
    try {
      requireTensor(this.#files.tensors, name, shape);
      this.#taken.add(name);
    } catch (error) {
      throw error instanceof UserError ? this.unsound(error.message, error) : error;
    }
  }

  /** The numbers of a tensor, without a copy. Throws UserError if it is missing or has another shape or kind. */
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

  /** A sparse matrix; `rows` is checked if it is given. Throws UserError if its tensors are not a valid matrix. */
  takeSparse(names: SparseNames, { rows, columns }: { rows?: number; columns: number }): CsrMatrix {
    const offsets = this.take(names.offsets, [rows === undefined ? undefined : rows + 1], "whole numbers");
    const ascends = offsets.every((offset, row) => row === 0 || offset >= offsets[row - 1]);
    if (offsets[0] !== 0 || !ascends)
      throw this.unsound(`tensor ${names.offsets}: the row offsets do not start at 0 or do not ascend`);
    const entries = offsets[offsets.length - 1];
    const indices = this.take(names.indices, [entries], "whole numbers");
    if (indices.some((index) => index >= columns))
      throw this.unsound(`tensor ${names.indices}: an index is not below ${columns}`);
    const values = names.values === undefined ? undefined : this.take(names.values, [entries], "float32");
    return { rows: offsets.length - 1, columns, offsets, indices, ...(values && { values }) };
  }

  /** Copies a tensor to the engine without blocking the event loop; the caller releases it. Throws like `take`. */
  async load(engine: Engine, name: string, rows: number, columns: number): Promise<Tensor> {
    this.require(name, [rows, columns]);
    const tensor = engine.empty(rows, columns);
    try {
      await this.write(engine, tensor, name);
    } catch (error) {
      engine.release(tensor);
      throw error;
    }
    return tensor;
  }

  /** Copies a tensor to one of the engine that has its shape. Throws like `take`. */
  async write(engine: Engine, out: Tensor, name: string): Promise<void> {
    this.require(name, [out.rows, out.columns]);
    await writeHostTensor(engine, out, this.#files.tensors[name]);
  }

  /** Call it after all tensors are taken. Throws UserError if the files contain other tensors. */
  end(): void {
    const extra = Object.keys(this.#files.tensors).find((name) => !this.#taken.has(name));
    if (extra !== undefined)
      throw this.unsound(`tensor ${extra}: is not one of ${this.#files.algorithm}'s tensors`);
  }
}
