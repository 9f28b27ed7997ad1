// Pieces of SVG, and the file that sharp makes of them.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const folder = fileURLToPath(new URL('../../docs/pictures/', import.meta.url));

export const ink = '#1c1e21';
export const quiet = '#565c64';
export const blue = '#0b84c6';
export const magenta = '#d61fc9';
export const yellow = '#e0a800';

export function text(x, y, content, { size = 15, fill = ink, anchor = 'start', weight = 'normal' } = {}) {
  const escaped = String(content).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}" text-anchor="${anchor}" font-weight="${weight}">${escaped}</text>`;
}

export function rect(
  { x, y, width, height },
  { stroke = 'none', fill = 'none', thick = 1, dash = '', round = 0 } = {},
) {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${round}" fill="${fill}" stroke="${stroke}" stroke-width="${thick}" stroke-dasharray="${dash}"/>`;
}

export function line(points, { stroke = ink, thick = 1.5 } = {}) {
  const path = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  return `<polyline points="${path}" fill="none" stroke="${stroke}" stroke-width="${thick}"/>`;
}

export function dot(x, y, fill) {
  return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5" fill="${fill}"/>`;
}

export function arrow(x1, x2, y) {
  return `<path d="M${x1} ${y}H${x2 - 7}m0 -5l7 5l-7 5" fill="none" stroke="${quiet}" stroke-width="1.5"/>`;
}

/** An image in a rectangle; `pixelated` keeps the edges of enlarged pixels. */
export function image({ x, y, width, height }, png) {
  return `<image x="${x}" y="${y}" width="${width}" height="${height}" preserveAspectRatio="none" href="data:image/png;base64,${png.toString('base64')}"/>`;
}

/** A PNG of colours, three bytes a token, each token a block. */
export async function blocks(rgb, grid, { width, height }) {
  return await sharp(Buffer.from(rgb), { raw: { ...grid, channels: 3 } })
    .resize(Math.round(width), Math.round(height), { kernel: 'nearest', fit: 'fill' })
    .png()
    .toBuffer();
}

/** A PNG of an image file, squashed to a size; drawn at twice that, for sharp screens. */
export async function shrunk(file, { width, height }) {
  return await sharp(file)
    .resize(Math.round(width * 2), Math.round(height * 2), { fit: 'fill' })
    .png()
    .toBuffer();
}

/** Pixels of the file a unit of the drawing, for sharp screens. */
const zoom = 1.6;

/** Writes docs/pictures/NAME.png. */
export async function writePicture(name, { width, height }, content, background = '#fff') {
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width * zoom}" height="${height * zoom}" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans">` +
    `${rect({ x: 0, y: 0, width, height }, { fill: background })}${content.join('')}</svg>`;
  await sharp(Buffer.from(svg), { unlimited: true })
    .png({ palette: true, colours: 256, dither: 0, effort: 10, compressionLevel: 9 })
    .toFile(join(folder, `${name}.png`));
}
