// The style sheet of every page: light, dark, narrow and print.

export const STYLE = `
:root { --paper: #ffffff; --ink: #1b1f23; --muted: #667079; --rule: #e4e7ea; --accent: #0b7a75; --found: #d8f0e6; --soft: #f6f7f8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --ink: #e6e8ea; --muted: #97a1ab; --rule: #2b3138; --accent: #45c2b1; --found: #17453c; --soft: #1b1f24; }
}
@media print {
  :root { --paper: #ffffff; --ink: #000000; --muted: #555555; --rule: #cccccc; --accent: #0b7a75; --found: #d8f0e6; --soft: #ffffff; }
  @page { margin: 16mm; }
  article, figure, tr { break-inside: avoid; }
  h2, h2 + .note { break-after: avoid; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 3.5rem 1.5rem 2rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; font-variant-numeric: tabular-nums;
  -webkit-print-color-adjust: exact; print-color-adjust: exact; }
h1 { margin: 0; font-size: 2.1rem; line-height: 1.2; font-weight: 650; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h1 .on { color: var(--muted); font-weight: 400; }
h2 { margin: 0 0 0.9rem; font-size: 1.2rem; font-weight: 650; letter-spacing: -0.01em; }
h3 { margin: 0 0 0.6rem; font-size: 1rem; font-weight: 650; }
h4 { margin: 0 0 0.35rem; font-size: 0.85rem; font-weight: 500; color: var(--muted); }
section { margin-top: 3rem; }
.lead { margin: 0.5rem 0 0; max-width: 46rem; color: var(--muted); font-size: 1.05rem; }
.headline { display: flex; flex-wrap: wrap; gap: 1.5rem 4rem; margin-top: 2.2rem; }
.headline div { display: flex; flex-direction: column; }
.figure { font-size: 2.6rem; line-height: 1.15; font-weight: 600; letter-spacing: -0.02em; color: var(--accent); }
.label { color: var(--muted); font-size: 0.95rem; }
.error, .default, .more, .note { color: var(--muted); }
.error { font-size: 0.9em; white-space: nowrap; }
.note { margin: 0.6rem 0 0; max-width: 46rem; font-size: 0.9rem; }
h2 + .note { margin: -0.5rem 0 1rem; }
.warning { margin: 1.5rem 0 0; padding: 0.7rem 1rem; border-left: 4px solid #c2410c; background: var(--soft); font-weight: 650; }
dl { margin: 0; }
dl div { display: grid; grid-template-columns: 8rem 1fr; gap: 0 1rem; padding: 0.4rem 0; border-top: 1px solid var(--rule); }
dl div:last-child { border-bottom: 1px solid var(--rule); }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 0.4rem 1.5rem 0.4rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); font-weight: 400; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); font-size: 0.85rem; }
tbody th { white-space: nowrap; }
.ranking { max-width: 40rem; }
.wide { overflow-x: auto; }
.wide + h3 { margin-top: 1.6rem; }
.estimate { white-space: nowrap; }
.options { font-size: 0.92rem; }
.options td:nth-child(2) { min-width: 7rem; overflow-wrap: anywhere; }
.options td:nth-child(3) { color: var(--muted); }
.changed th, .changed td:nth-child(2) { font-weight: 650; }
.default { display: block; font-size: 0.85em; font-weight: 400; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1.5rem 2rem; }
.note + .curves { margin-top: 1.25rem; }
.curves svg { display: block; width: 100%; height: auto; max-width: 30rem; font-family: inherit; }
figure { margin: 0; }
figcaption { margin-bottom: 0.5rem; font-size: 0.9rem; font-weight: 500; }
article { margin-top: 1.2rem; padding: 1.1rem 1.3rem; border-radius: 10px; background: var(--soft); border: 1px solid var(--rule); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem 2.5rem; }
ul, ol { margin: 0; padding-left: 1.9rem; font-size: 0.95rem; }
ul { list-style: none; padding-left: 0; }
li { overflow-wrap: anywhere; }
li::marker { color: var(--muted); font-size: 0.85em; }
.more { margin: 0.2rem 0 0; font-size: 0.9rem; }
mark { background: var(--found); color: inherit; padding: 0.05em 0.35em; margin-left: -0.35em; border-radius: 4px; }
.note mark { margin-left: 0; }
footer { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--rule); color: var(--muted); font-size: 0.85rem; }
@media print {
  body { padding: 0; max-width: none; font-size: 10pt; }
  section { margin-top: 2rem; }
  .curves { grid-template-columns: repeat(3, 1fr); gap: 1rem; }
}
@media screen and (max-width: 40rem) {
  body { padding-top: 2rem; }
  dl div { grid-template-columns: 1fr; }
  .options td:nth-child(3), .options th:nth-child(3) { display: none; }
}
`;
