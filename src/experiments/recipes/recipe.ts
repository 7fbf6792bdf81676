// A recipe: options of a model that were chosen on the validation users of a named data set. The defaults of a model are its
// paper's, which were chosen for ML-20M or Netflix; a recipe is what to take for data of another size. Nothing here computes.

export interface Recipe {
  /** The data set that it was chosen on: what `--recipe` names. */
  readonly dataset: string;
  /** A registered model. */
  readonly model: string;
  /** What differs from the model's defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Which search chose them, in a sentence. */
  readonly search: string;
  /** What was reached on the validation users, never on the test users. */
  readonly validation: {
    readonly metric: "ndcg@100";
    readonly mean: number;
    readonly standardError: number;
    /** The command that measured it. */
    readonly command: string;
  };
}
