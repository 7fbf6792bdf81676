// Embeddings of tokens.

import { Parameter } from "../compute/parameter.js";
import { normal } from "./initializers.js";

/** Declares "embedding.weight" [tokens, width]. Glorot initialisation would depend on the number of tokens, which is not a fan-in. */
export function tokenEmbedding(tokens: number, width: number): Parameter {
  return Parameter.declare({
    ...{ name: "embedding.weight", rows: tokens, columns: width },
    initial: normal(0.1),
  });
}
