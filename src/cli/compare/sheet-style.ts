/** The style of a sheet: light and dark as the reader's system is, narrow screens, and paper. */
export const sheetStyle = `
:root {
  color-scheme: light dark;
  --text: light-dark(#1b1b1f, #e7e7ea);
  --soft: light-dark(#5c5c66, #a3a3ad);
  --line: light-dark(#d9d9e0, #3a3a42);
  --ground: light-dark(#fff, #16161a);
  --column: 15rem;
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 110rem; background: var(--ground); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 0 0 .25rem; }
p { margin: 0 0 .5rem; max-width: 75ch; }
.soft, figcaption p, small { color: var(--soft); }
section { margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: normal; }
.encoders th, .encoders td { padding: .3rem 1rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.encoders thead th { color: var(--soft); }
.encoders .number { text-align: right; }
.matrices { display: flex; flex-wrap: wrap; gap: 2rem 4rem; }
.matrix { margin: 0; max-width: 100%; }
.matrix figcaption p { max-width: 34rem; }
.matrix thead th { text-align: center; font-weight: bold; padding: .2rem; }
.matrix tbody th { padding-right: .75rem; white-space: nowrap; }
.figure { min-width: 4rem; padding: .45rem .5rem; text-align: center; border: 2px solid var(--ground); }
.scale { margin-top: .6rem; max-width: 22rem; }
.bar { height: .75rem; border: 1px solid var(--line); }
.numbers { display: flex; justify-content: space-between; font-size: .8rem; color: var(--soft); }
.pictures { border-spacing: 0; }
.pictures th, .pictures td { width: var(--column); min-width: 9rem; padding: 0 1rem 1rem 0; vertical-align: top; }
.pictures img { display: block; height: auto; border: 1px solid var(--line); }
.tokens { image-rendering: pixelated; }
.name { overflow-wrap: anywhere; }
.components { list-style: none; margin: .25rem 0 0; padding: 0; font-size: .8rem; color: var(--soft); }
.components i { display: inline-block; width: .7em; height: .7em; margin-right: .4em; }
@page { size: landscape; margin: 12mm; }
@media print {
  :root { color-scheme: light; font-size: 11px; }
  body { padding: 0; font-size: 11px; }
  .wide { overflow: visible; }
  .pictures { width: 100%; table-layout: fixed; }
  .pictures th, .pictures td { width: auto; min-width: 0; padding: 0 .5rem .5rem 0; overflow-wrap: anywhere; }
  .bar, .figure, .components i { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  tr, .matrix { break-inside: avoid; }
  thead { display: table-header-group; }
}
`;
