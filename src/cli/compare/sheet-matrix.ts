import { type Colour, colourOf, inferno } from '../../tokens/colours/colour-scale.ts';
import { roundedScale } from './compare-report.ts';
import type { Side } from './side.ts';
import type { PairFigures } from './encoder-figures.ts';
import { figureText, pairOf } from './encoders-report.ts';
import { escapeHtml } from './html.ts';

/** One figure of every pair. */
export interface Matrix {
  readonly title: string;
  /** One sentence of HTML. */
  readonly explanation: string;
  readonly figure: (pair: PairFigures) => number | undefined;
}

/** A table of all pairs with the colour of each figure, above a scale with numbers from 0 to the largest figure rounded up. */
export function matrixHtml(
  sides: readonly Side[],
  pairs: readonly PairFigures[],
  { title, explanation, figure }: Matrix,
): string {
  const end = Math.min(1, roundedScale(Math.max(...pairs.map((pair) => figure(pair) ?? 0))));
  const columns = sides.slice(0, -1);
  const rows = sides.slice(1).map((side, index) => {
    const cells = columns.map((_, column) => {
      if (column > index) return '<td></td>';
      const pair = pairOf(pairs, index + 1, column);
      return cell(pair && figure(pair), end);
    });
    return `<tr><th scope="row"><b>${side.label}</b> ${escapeHtml(side.name)}</th>${cells.join('')}</tr>`;
  });
  const heads = columns.map(({ label, name }) => `<th scope="col" title="${escapeHtml(name)}">${label}</th>`);
  return `<figure class="matrix">
<figcaption><h2>${title}</h2><p>${explanation}</p></figcaption>
<div class="wide"><table><thead><tr><td></td>${heads.join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>
${scaleHtml(end)}
</figure>`;
}

/** The colours from 0 to `end`, with numbers at every fifth. */
function scaleHtml(end: number): string {
  const stops = inferno.map(css).join(', ');
  const numbers = [0, 1, 2, 3, 4, 5].map(
    (fifth) => `<span>${Number(((end * fifth) / 5).toPrecision(3))}</span>`,
  );
  return `<div class="scale"><div class="bar" style="background: linear-gradient(to right, ${stops})"></div>
<div class="numbers">${numbers.join('')}</div></div>`;
}

function cell(value: number | undefined, end: number): string {
  if (value === undefined) return '<td class="figure">-</td>';
  const colour = colourOf(value / end);
  const [red, green, blue] = colour;
  const isLight = 0.299 * red + 0.587 * green + 0.114 * blue > 140;
  return `<td class="figure" style="background: ${css(colour)}; color: ${isLight ? '#000' : '#fff'}">${figureText(value)}</td>`;
}

function css(colour: Colour): string {
  return `rgb(${colour.map(Math.round).join(' ')})`;
}
