import type { Size } from '../../recipes/plan.ts';
import type { TokenColours } from '../../tokens/colours/token-colours.ts';
import type { Side } from './side.ts';
import { chanceText, type EncodersReport, sampleText } from './encoders-report.ts';
import type { EngineTimes } from './engine-times.ts';
import { dataUrl, escapeHtml } from './html.ts';
import { matrixHtml } from './sheet-matrix.ts';
import { sheetStyle } from './sheet-style.ts';

/** An image with a picture of each encoder's tokens. */
export interface SheetRow {
  readonly file: string;
  readonly size: Size;
  /** JPEG. */
  readonly thumbnail: Uint8Array;
  /** PNG, a pixel for each token, in the order of the encoders. */
  readonly pictures: readonly Uint8Array[];
}

export interface Sheet {
  readonly report: EncodersReport & { readonly figures: NonNullable<EncodersReport['figures']> };
  readonly rows: readonly SheetRow[];
  /** Of each encoder; the same object for those that share a basis. Empty without rows. */
  readonly colours: readonly TokenColours[];
  /** Whether tokens show the middle square of an image only. */
  readonly isCropped: boolean;
}

const componentColours = [
  ['red', '#e53935'],
  ['green', '#43a047'],
  ['blue', '#1e88e5'],
] as const;
/** The longest side of a picture, in rem. */
const pictureSide = 14;

/** One HTML page of figures and pictures, which loads nothing and runs nothing. */
export function sheetPage(sheet: Sheet): string {
  const { report, rows } = sheet;
  const { sides, images, grid, figures } = report;
  const { neighbours, chance } = figures;
  const agreement = {
    title: 'Neighbour agreement',
    explanation:
      `The mean share of a token's ${neighbours} nearest neighbours that both encoders give. 1: the same neighbours; ` +
      `${chanceText(chance)}: by chance.`,
    figure: (pair: (typeof figures.pairs)[number]) => pair.agreement,
  };
  const cka = {
    title: 'CKA',
    explanation: 'Linear and debiased. 1: the same tokens up to rotation and scale; 0: nothing in common.',
    figure: (pair: (typeof figures.pairs)[number]) => pair.cka,
  };
  const matrices = [agreement, cka].map((matrix) => matrixHtml(sides, figures.pairs, matrix));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${escapeHtml(sides.map(({ name }) => name).join(', '))}: encoders compared</title>
<style>${sheetStyle}</style>
</head>
<body>
<h1>${sides.length} encoders compared</h1>
<p class="soft">${sampleText(figures, images.length, grid)}</p>
<section class="wide">${encodersTable(sides, report.times)}</section>
<section class="matrices">${matrices.join('\n')}</section>
${rows.length === 0 ? '' : picturesSection(sheet)}
</body>
</html>
`;
}

function encodersTable(sides: readonly Side[], times: EngineTimes): string {
  const rows = sides.map(({ label, name, model, recipe, views }) => {
    const { precision, features, imageSize, grid, channels, digest } = model;
    const speed = times.speed(label);
    const scales = recipe.recipe === 'teacher' ? `, ${views} views` : '';
    const cells = [
      `<th scope="row"><b>${label}</b> ${escapeHtml(name)}</th>`,
      `<td>${precision}, ${features}</td>`,
      `<td class="number">${imageSize} px${scales}</td>`,
      `<td class="number">${grid.width} x ${grid.height}</td>`,
      `<td class="number">${channels.toLocaleString('en-US')}</td>`,
      `<td class="number">${speed === undefined ? '-' : speed.msPerImage.toFixed(1)}</td>`,
      `<td><code>${digest.slice('sha256:'.length, 'sha256:'.length + 12)}</code></td>`,
    ];
    return `<tr>${cells.join('')}</tr>`;
  });
  const heads = ['Encoder', 'Features', 'Input', 'Tokens', 'Channels', 'ms per image', 'Digest'];
  const isNumber = (head: string) => ['Input', 'Tokens', 'Channels', 'ms per image'].includes(head);
  const titles = heads.map(
    (head) => `<th scope="col"${isNumber(head) ? ' class="number"' : ''}>${head}</th>`,
  );
  return `<table class="encoders"><thead><tr>${titles.join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function picturesSection({ report, rows, colours, isCropped }: Sheet): string {
  const { sides, images } = report;
  const heads = sides.map(({ label, name }, encoder) => {
    const legend = componentsHtml(colours[encoder]!);
    const alike = sides.filter((_, other) => other !== encoder && colours[other] === colours[encoder]);
    const shared =
      alike.length === 0 ? 'its own colours' : `colours as in ${alike.map((side) => side.label).join(', ')}`;
    return `<th scope="col"><b>${label}</b> <span class="name">${escapeHtml(name)}</span><br><small>${shared}</small>${legend}</th>`;
  });
  const body = rows.map((row) => {
    const { file, size, thumbnail, pictures } = row;
    const style = pictureStyle(isCropped ? { width: 1, height: 1 } : size);
    const text = escapeHtml(file);
    const cells = pictures.map((picture, encoder) => {
      const alt = `tokens of ${text} by ${escapeHtml(sides[encoder]!.name)}`;
      return `<td><img class="tokens" style="${style}" alt="${alt}" src="${dataUrl('image/png', picture)}"></td>`;
    });
    return `<tr><th scope="row"><img style="${style}; object-fit: cover" alt="${text}" src="${dataUrl('image/jpeg', thumbnail)}">
<small class="name">${text}<br>${size.width} x ${size.height}</small></th>${cells.join('\n')}</tr>`;
  });
  const more =
    images.length > rows.length ? ` Shown are the first ${rows.length} of ${images.length} images.` : '';
  return `<section><h2>Tokens as colours</h2>
<p class="soft">Red, green and blue are a token's scores along the first three principal components, each over the range that is
given: the 1st to the 99th percentile. The share is that of the variance. Colours can be compared along a column, and between
encoders that share their components: those of the same family, width, depth, patch size and layer.${more}</p>
<div class="wide"><table class="pictures"><thead><tr><th scope="col">Image</th>${heads.join('\n')}</tr></thead>
<tbody>${body.join('\n')}</tbody></table></div></section>`;
}

function componentsHtml({ components }: TokenColours): string {
  const items = components.map(({ explained, range }, index) => {
    const [name, colour] = componentColours[index]!;
    const percent = `${(explained * 100).toFixed(explained < 0.1 ? 1 : 0)} %`;
    return `<li><i style="background: ${colour}"></i>${name}: ${short(range.low)} to ${short(range.high)}, ${percent}</li>`;
  });
  return `<ul class="components">${items.join('')}</ul>`;
}

/** Fits the picture into a square, in the image's proportions. */
function pictureStyle({ width, height }: Size): string {
  const wide = (pictureSide * width) / Math.max(width, height);
  return `width: ${Math.max(wide, 1).toFixed(2)}rem; aspect-ratio: ${width} / ${height}; max-width: 100%`;
}

/** Three significant digits, with a real minus sign. */
function short(value: number): string {
  return String(Number(value.toPrecision(3))).replace('-', '\u2212');
}
