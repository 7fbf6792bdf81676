// The pages of the shop, as HTML text.

/** Text for HTML, also inside of quoted attributes. */
const html = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** Buttons that open items. */
export const itemsOf = (items) =>
  `<ul>${items.map((item) => `<li>${button(item)}${reason(item)}</li>`).join("")}</ul>`;

const button = ({ id, title }) =>
  `<form method="post" action="/open" hx-post="/open" hx-target="#shelves"><button name="item" value="${html(id)}">${html(title)}</button></form>`;

/** The item of the history that supports a recommendation most, if one does. */
const reason = ({ because: [first] = [] }) =>
  first && first.influence > 0 ? `<small>because you liked ${html(first.title)}</small>` : "";

/** The history and the recommendations of a visitor. */
export const shelves = ({ history, items }) => `
  <h2 id="for-you">${history.length > 0 ? "Recommended for you" : "What others like"}</h2>
  ${itemsOf(items)}
  <h2>Opened by you</h2>
  ${
    history.length > 0
      ? `${itemsOf(history)}<form method="post" action="/forget" hx-post="/forget" hx-target="#shelves"><button class="quiet">Forget me</button></form>`
      : "<p>Nothing yet. Search for a title, or open one above.</p>"
  }`;

export const page = ({ q, found, shelves }) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <meta name="htmx-config" content='{"includeIndicatorStyles":false,"allowEval":false}'>
    <title>A shop with foldin</title>
    <link rel="stylesheet" href="/shop.css">
    <script src="/htmx.js" defer></script>
  </head>
  <body>
    <h1>Films</h1>
    <form role="search" action="/" hx-get="/search" hx-target="#found" hx-trigger="input changed delay:200ms, submit">
      <label for="q">Title</label>
      <input id="q" name="q" type="search" value="${html(q)}" autocomplete="off">
    </form>
    <div id="found" aria-live="polite">${itemsOf(found)}</div>
    <main id="shelves">${shelves}</main>
  </body>
</html>`;
