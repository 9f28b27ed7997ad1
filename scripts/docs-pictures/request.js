// The way of a request, with the picture at each step: a TeacherEncode of a photograph.
import sharp from 'sharp';
import { TokenColours } from '../../build/src/tokens/colours/token-colours.js';
import { encode } from './service.js';
import { arrow, blocks, blue, image, magenta, quiet, rect, shrunk, text, writePicture } from './svg.js';

const top = 60;

/** request.png */
export async function drawRequest({ url, photo, base, imageSize }) {
  const answer = await encode(url, 'teacher-encode', photo, { model: base });
  const [small, large] = await Promise.all([squash(photo, imageSize), squash(photo, 2 * imageSize)]);
  const quarters = await Promise.all(
    [0, 1, 2, 3].map((tile) =>
      sharp(large)
        .extract({
          left: (tile % 2) * imageSize,
          top: (tile >> 1) * imageSize,
          width: imageSize,
          height: imageSize,
        })
        .png()
        .toBuffer(),
    ),
  );
  const views = [small, ...quarters];
  const encoded = await Promise.all(views.map((view) => encode(url, 'encode', view, { model: base })));
  const colours = TokenColours.fit([...encoded, answer].map(({ tokens }) => tokens));
  const { grid } = answer.metadata;
  const painted = async ({ tokens }, side) =>
    await blocks(colours.paint(tokens), grid, { width: 2 * side, height: 2 * side });

  const column = (index) => ({
    x: 290 + Math.floor(index / 3) * 74,
    y: top + (index % 3) * 74,
    width: 64,
    height: 64,
  });
  const later = (index) => ({ ...column(index), x: column(index).x + 310 });
  const content = [
    heading(0, 'decode', 'once'),
    image({ x: 0, y: top + 30, width: 180, height: 120 }, await shrunk(photo, { width: 180, height: 120 })),
    rect({ x: 0, y: top + 30, width: 180, height: 120 }, { stroke: blue, thick: 3 }),
    rect({ x: 0, y: top + 30, width: 90, height: 60 }, { stroke: magenta }),
    rect({ x: 90, y: top + 90, width: 90, height: 60 }, { stroke: magenta }),
    rect({ x: 90, y: top + 30, width: 90, height: 60 }, { stroke: magenta }),
    rect({ x: 0, y: top + 90, width: 90, height: 60 }, { stroke: magenta }),
    text(0, top + 172, 'plan: 1 view of 512 px,', { size: 12, fill: quiet }),
    text(0, top + 188, '4 of 1024 px', { size: 12, fill: quiet }),
    arrow(196, 276, top + 100),
    heading(290, 'views', 'resized and cut'),
    arrow(448, 586, top + 100),
    text(517, top + 90, 'batches, shared', { size: 12, fill: quiet, anchor: 'middle' }),
    text(517, top + 122, 'by all callers', { size: 12, fill: quiet, anchor: 'middle' }),
    heading(600, 'encode', 'tokens of each view'),
    arrow(758, 838, top + 100),
    heading(852, 'assemble', `${grid.width} x ${grid.height} tokens`),
    image({ x: 852, y: top, width: 212, height: 212 }, await painted(answer, 212)),
  ];
  for (const [index, view] of views.entries()) {
    content.push(image(column(index), await shrunk(view, column(index))));
    content.push(rect(column(index), { stroke: index === 0 ? blue : magenta, thick: 2 }));
    content.push(image(later(index), await painted(encoded[index], 64)));
  }
  await writePicture('request', { width: 1066, height: 286 }, content);
}

function heading(x, title, more) {
  return text(x, 18, title, { weight: 'bold' }) + text(x, 38, more, { size: 13, fill: quiet });
}

async function squash(file, side) {
  return await sharp(file).resize(side, side, { fit: 'fill' }).png().toBuffer();
}
