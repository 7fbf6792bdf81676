// A trained model of factors whose items are known by their content too: a history is folded in by the closed form with the
// items' factors held fixed, and an item that nobody has touched gets its factor from its content.

import type { Engine } from "../../compute/engine.js";
import { loadTensor, type Parameter, saveParameters, saveTensor } from "../../compute/parameter.js";
import type { NamedTensors, Tensor } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import type { JsonObject } from "../../core/json.js";
import { type ContentForm, formOf, type ItemContent } from "../../data/content.js";
import { Vocabulary } from "../../data/vocabulary.js";
import type { ContentAware, NewItems } from "../../recommender/content-aware.js";
import type { ModelFiles } from "../../recommender/recommender.js";
import { blockwiseScores } from "../../recommender/scores.js";
import { type CsrMatrix, emptyMatrix } from "../../sparse/csr.js";
import { type FactorOptions, solveRows } from "./factors.js";

/** What is trained, as it stands. */
export interface FactorModel {
  readonly options: FactorOptions;
  /** V [items, k] */
  readonly items: Tensor;
  /** [k, k]: of the items that somebody has, of the users who have something. */
  readonly itemGram: Tensor;
  readonly userGram: Tensor;
  /** The network that reads content. */
  readonly parameters: readonly Parameter[];
  /** E[z] of each item, zeros where it has no content: [content.items, k], as a tensor that the caller releases. */
  readonly encode: (content: ItemContent) => Promise<Tensor>;
}

export interface FactorModelFiles {
  readonly algorithm: string;
  readonly config: JsonObject;
  readonly items: Vocabulary;
  readonly content: ContentForm;
  /** Rebuilds a model from files. */
  readonly restore: (files: ModelFiles) => Promise<ContentAware>;
}

/** Where a new item's factor comes from, best first. */
export const itemRules = ["posterior", "content"] as const;

/** The sizes that a saved model's tensors need: names, and [rows, columns]. */
export function factorShapes(items: number, k: number): Record<string, [number, number]> {
  return { items: [items, k], itemGram: [k, k], userGram: [k, k] };
}

/** Tensors of a saved model. Throws UserError where one is missing or has another shape; then nothing is kept. */
export function loadFactors(
  engine: Engine,
  saved: NamedTensors,
  items: number,
  k: number,
): Pick<FactorModel, "items" | "itemGram" | "userGram"> {
  const made: Tensor[] = [];
  try {
    const [V, itemGram, userGram] = Object.entries(factorShapes(items, k)).map(([name, [rows, columns]]) => {
      const tensor = engine.empty(rows, columns);
      made.push(tensor);
      loadTensor(engine, tensor, name, saved);
      return tensor;
    });
    return { items: V, itemGram, userGram };
  } catch (error) {
    for (const tensor of made) engine.release(tensor);
    throw error;
  }
}

/** The recommender over a model, whose memory it gives back when it is disposed of. */
export function factorRecommender(engine: Engine, model: FactorModel, files: FactorModelFiles): ContentAware {
  const { options, items: V, itemGram, userGram } = model;
  const { algorithm, config, items, content } = files;
  const k = V.columns;
  const { a, b, lambdaU, lambdaV } = options;

  async function save(): Promise<ModelFiles> {
    const [savedItems, savedItemGram, savedUserGram] = await Promise.all(
      [V, itemGram, userGram].map((tensor) => saveTensor(engine, tensor)),
    );
    const network = await saveParameters(model.parameters);
    const tensors = { ...network, items: savedItems, itemGram: savedItemGram, userGram: savedUserGram };
    return { algorithm, config, tensors, items, content };
  }

  /** (b U'U + lambda_v I)^-1 lambda_v E[z]: what the sweep gives an item that nobody has. */
  function withoutClicks(theta: Tensor): Tensor {
    const out = engine.zeros(theta.rows, k);
    const nothing = engine.sparse(emptyMatrix(theta.rows, 1));
    const fixed = engine.zeros(1, k);
    solveRows(engine, out, nothing, { a, b, fixed, gram: userGram, ridge: lambdaV, prior: theta });
    engine.releaseSparse(nothing);
    engine.release(fixed);
    return out;
  }

  return {
    algorithm,
    items,
    content,
    itemRules,

    score: (histories) =>
      blockwiseScores(engine, histories, items.size, (block) => {
        const users = foldIn(engine, block, { a, b, fixed: V, gram: itemGram, ridge: lambdaU });
        const scores = engine.empty(block.rows, items.size);
        engine.matmul(scores, users, V, { transposeB: true });
        engine.release(users);
        return scores;
      }),

    save,

    async withItems(added: NewItems, rule: string) {
      requireForm(algorithm, content, added.content);
      if (!(itemRules as readonly string[]).includes(rule))
        throw new UserError({
          place: "rule",
          problem: `"${rule}" is unknown`,
          expected: itemRules.join(", "),
        });
      const theta = await model.encode(added.content);
      const places = rule === "posterior" ? withoutClicks(theta) : theta;
      const fresh = await engine.read(places);
      for (const tensor of new Set([theta, places])) engine.release(tensor);
      const before = await save();
      const old = before.tensors.items.data;
      const numbers = old instanceof Float64Array ? Float64Array : Float32Array;
      const data = new numbers(old.length + fresh.length);
      data.set(old);
      data.set(fresh, old.length);
      const size = items.size + added.items.size;
      return files.restore({
        ...before,
        tensors: { ...before.tensors, items: { shape: [size, k], data } },
        items: joined(items, added.items),
      });
    },

    dispose() {
      for (const tensor of [V, itemGram, userGram]) engine.release(tensor);
      for (const parameter of model.parameters) parameter.release();
    },
  };
}

/** Users' factors [histories.rows, k] with the items' held fixed, as a tensor that the caller releases. */
export function foldIn(
  engine: Engine,
  histories: CsrMatrix,
  half: Omit<Parameters<typeof solveRows>[3], "rows" | "prior">,
): Tensor {
  const users = engine.zeros(histories.rows, half.fixed.columns);
  const clicks = engine.sparse({ ...histories, values: undefined });
  solveRows(engine, users, clicks, half);
  engine.releaseSparse(clicks);
  return users;
}

function joined(one: Vocabulary, other: Vocabulary): Vocabulary {
  const ids = [...one.ids, ...other.ids];
  if (!one.titles && !other.titles) return new Vocabulary(ids);
  const titlesOf = ({ titles, ids }: Vocabulary) => titles ?? ids.map(() => null);
  return new Vocabulary(ids, [...titlesOf(one), ...titlesOf(other)]);
}

/** Throws UserError where content is not of the form that a model was trained on. */
function requireForm(algorithm: string, form: ContentForm, content: ItemContent): void {
  const given = formOf(content);
  const fits =
    given.kind === form.kind &&
    (given.kind !== "words" || form.kind !== "words" || given.words.join("\n") === form.words.join("\n")) &&
    (given.kind !== "vectors" || form.kind !== "vectors" || given.dimensions === form.dimensions) &&
    (given.kind !== "sequences" ||
      form.kind !== "sequences" ||
      given.tokens.join("\n") === form.tokens.join("\n")) &&
    (given.kind !== "images" ||
      form.kind !== "images" ||
      [given.channels, given.height, given.width].join() === [form.channels, form.height, form.width].join());
  if (!fits)
    throw new UserError({
      place: algorithm,
      problem: `the new items' content (${given.kind}) is not of the form that the model was trained on`,
      expected: `${form.kind} as in the model's content.json`,
      remedy: "Read the new items' content with the model's form",
    });
}
