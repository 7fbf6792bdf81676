// Similar items according to a model: its recommendations for a history with only the given item. Every model supports this, and
// the result is what a new user sees after the first interaction.

import { UserError } from "../core/errors.js";
import { nearestName } from "../core/nearest.js";
import type { Filter } from "./filter/filter.js";
import { type ItemId, idText } from "./item-ids.js";
import { answerAll, askedOf, type NamedItem, type RecommendedItem } from "./recommend.js";
import type { Recommender } from "./recommender.js";

export interface SimilarOptions {
  /** The number of items. Default 10. */
  k?: number;
  /** Ids or titles of items to exclude; entries that are not in the catalogue are ignored. */
  exclude?: Iterable<ItemId>;
  /** Ids or titles of the items to choose from. Default: the catalogue. */
  candidates?: Iterable<ItemId>;
  /** Which items may be in the answer, by their attributes. */
  filter?: Filter;
}

export interface SimilarItems {
  item: NamedItem;
  /** Best first, without the item itself; equal scores by ascending item index. */
  items: RecommendedItem[];
}

/**
 * The items that the model ranks first for a history with a single item, given by id or title. Throws UserError if the catalogue
 * has no such item, several items have the title, or k is not a positive integer.
 */
export async function similarItems(
  recommender: Recommender,
  id: ItemId,
  options: SimilarOptions = {},
): Promise<SimilarItems> {
  const name = idText(id, "item");
  const question = await askedOf(recommender.items, [name], options);
  if (question.unknown.length > 0) {
    const { ids } = recommender.items;
    const near = nearestName(name, ids.slice(0, 50_000));
    throw new UserError({
      place: "item",
      problem: `"${name}" is not in the model's catalogue`,
      expected: `an id such as ${ids.slice(0, 3).join(", ")}`,
      remedy: near === undefined ? undefined : `Did you mean "${near}"?`,
    });
  }
  const [{ history, items }] = await answerAll(recommender, [question]);
  return { item: history[0], items };
}
