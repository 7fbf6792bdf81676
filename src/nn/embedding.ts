// The numbers of tokens.

import { Parameter } from "../compute/parameter.js";
import { normal } from "./initializers.js";

/** Declares "embedding.weight" [tokens, width]. Glorot's values would depend on how many tokens there are, which is not a fan-in. */
export function tokenEmbedding(tokens: number, width: number): Parameter {
  return Parameter.declare({
    ...{ name: "embedding.weight", rows: tokens, columns: width },
    initial: normal(0.1),
  });
}
