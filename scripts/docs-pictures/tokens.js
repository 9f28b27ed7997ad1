// A document's tokens: the base model, its HD student, and the teacher, in the same colours.
import { TokenColours } from '../../build/src/tokens/colours/token-colours.js';
import { encode } from './service.js';
import { blocks, image, quiet, shrunk, text, writePicture } from './svg.js';

const side = { width: 280, height: 396 };
const gap = 16;

/** tokens.png */
export async function drawTokens({ url, page, student, base }) {
  const answers = [
    [`${base}, Encode`, '1 view', await encode(url, 'encode', page, { model: base })],
    [`${student}, Encode`, '1 view', await encode(url, 'encode', page, { model: student })],
    [
      `${base}, TeacherEncode`,
      '5 views of 2 scales',
      await encode(url, 'teacher-encode', page, { model: base }),
    ],
  ];
  const colours = TokenColours.fit(answers.map(([, , { tokens }]) => tokens));
  const content = [
    text(0, 16, 'the picture', { weight: 'bold' }),
    image({ x: 0, y: 44, ...side }, await shrunk(page, side)),
  ];
  for (const [index, [title, cost, { tokens, metadata }]] of answers.entries()) {
    const x = (index + 1) * (side.width + gap);
    content.push(
      text(x, 16, title, { weight: 'bold' }),
      text(x, 35, cost, { size: 13, fill: quiet }),
      image(
        { x, y: 44, ...side },
        await blocks(colours.paint(tokens), metadata.grid, { width: 560, height: 792 }),
      ),
    );
  }
  await writePicture('tokens', { width: 4 * side.width + 3 * gap, height: 440 }, content);
}
