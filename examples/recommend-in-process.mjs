// Uses a trained run inside a program: recommendations with explanations, candidates, similar items. No server, no training code.
//   npm run quickstart                                        (in a clone: sets up, and trains demo/mult-vae)
//   node examples/recommend-in-process.mjs demo/mult-vae

import { loadRecommender, recommend, similarItems } from "foldin/serving";

const recommender = await loadRecommender(process.argv[2]);
const { ids } = recommender.items;
const history = ids.slice(0, 3);

const { items } = await recommend(recommender, history, { k: 3, explain: true });
for (const { rank, title, because } of items)
  console.log(`${rank}. ${title}, because of ${because[0].title}`);

// The order of ten items on a page.
const ordered = await recommend(recommender, history, { candidates: ids.slice(10, 20), k: 10 });
console.log(`Best of the page: ${ordered.items[0].title}`);

const similar = await similarItems(recommender, ids[0], { k: 3 });
console.log(`Like ${similar.item.title}: ${similar.items.map(({ title }) => title).join(", ")}`);
recommender.dispose();
