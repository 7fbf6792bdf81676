// A client of foldin serve that uses only fetch: it sends a user's events and requests recommendations.
//   npm run quickstart && node dist/cli/main.js serve demo/mult-vae          (in one terminal)
//   node examples/ask-a-server.mjs http://127.0.0.1:8080                     (in another)

const [server = "http://127.0.0.1:8080"] = process.argv.slice(2);

async function ask(path, { method = "GET", body } = {}) {
  const response = await fetch(server + path, {
    method,
    headers: {
      ...(body && { "content-type": "application/json" }),
      ...(process.env.FOLDIN_TOKEN && { authorization: `Bearer ${process.env.FOLDIN_TOKEN}` }),
    },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  // application/problem+json describes the error and names the field.
  if (!response.ok) throw new Error(`${answer.title}: ${answer.detail}`);
  return answer;
}

const { items: found } = await ask("/v1/items?search=the&limit=3");
console.log(`Ann watches ${found.map(({ title }) => title).join(", ")}`);
await ask("/v1/users/ann/events", {
  method: "POST",
  body: { events: found.map(({ id }) => ({ item: id })) },
});
const { items, model } = await ask("/v1/users/ann/recommendations?k=5&explain=true");
for (const { rank, title, because } of items)
  console.log(`${rank}. ${title}, because of ${because[0].title}`);

// A user without a stored history: the request contains the history.
const { results } = await ask("/v1/recommendations", {
  method: "POST",
  body: { history: [found[0].title], k: 1 },
});
console.log(`${model} says to somebody else: ${results[0].items[0].title}`);
console.log(`Ann is forgotten: ${(await ask("/v1/users/ann", { method: "DELETE" })).removed} items`);
