// The losses of nano-base and nano-hd over their training, from the logs of the two runs that training/README.md names:
// node scripts/docs-pictures/loss-curves.js nano-base.jsonl run/metrics.jsonl
import { readFileSync } from 'node:fs';
import { blue, dot, ink, line, magenta, quiet, rect, text, writePicture } from './svg.js';

const plot = { width: 420, height: 220 };
const gap = 90;
const left = 50;
const top = 60;

const [base, student] = process.argv.slice(2).map(readLog);
if (student === undefined) throw new Error('name the logs of nano-base and of its student');
await writePicture(
  'loss-curves',
  { width: left + 2 * plot.width + gap + 20, height: top + plot.height + 50 },
  [
    ...drawPlot({
      x: left,
      title: 'nano-base: binary cross-entropy of the labels',
      most: 3,
      tick: 1,
      curves: [
        { name: 'new pages, means of 50 steps', points: pointsOf(base, 'loss'), stroke: blue, dots: true },
      ],
    }),
    ...drawPlot({
      x: left + plot.width + gap,
      title: "nano-hd: L1 to the teacher's tokens",
      most: 0.4,
      tick: 0.1,
      curves: [
        { name: 'a training page, every 10 steps', points: pointsOf(student, 'loss'), stroke: blue },
        { name: 'held-out pages', points: pointsOf(student, 'held_out_l1'), stroke: magenta, dots: true },
      ],
    }),
  ],
);

/** The lines of a log. */
function readLog(path) {
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((one) => JSON.parse(one));
}

/** A figure by step, where the log has it. */
function pointsOf(log, name) {
  return log.filter((one) => one[name] !== undefined).map((one) => [one.step, one[name]]);
}

/** Curves from 0 to `most`, with a line at each `tick`. */
function drawPlot({ x, title, most, tick, curves }) {
  const steps = Math.max(...curves.flatMap(({ points }) => points.map(([step]) => step)));
  const place = ([step, value]) => [
    x + (step / steps) * plot.width,
    top + plot.height * (1 - Math.min(1, value / most)),
  ];
  const content = [text(x, 18, title, { weight: 'bold' })];
  for (let index = 0; index <= Math.round(most / tick); index++) {
    const [, y] = place([0, index * tick]);
    content.push(rect({ x, y, width: plot.width, height: 0.01 }, { stroke: '#d5d8dc' }));
    content.push(
      text(x - 8, y + 4, (index * tick).toFixed(tick < 1 ? 1 : 0), { size: 12, fill: quiet, anchor: 'end' }),
    );
  }
  for (let step = 0; step <= steps; step += 100)
    content.push(
      text(place([step, 0])[0], top + plot.height + 18, step, { size: 12, fill: quiet, anchor: 'middle' }),
    );
  content.push(
    text(x + plot.width / 2, top + plot.height + 38, 'steps', { size: 12, fill: quiet, anchor: 'middle' }),
  );
  let labelX = x;
  for (const { name, points, stroke, dots } of curves) {
    content.push(line(points.map(place), { stroke, thick: dots ? 2.5 : 1.2 }));
    if (dots) content.push(...points.map((point) => dot(...place(point), stroke)));
    content.push(rect({ x: labelX, y: 34, width: 14, height: 4 }, { fill: stroke }));
    content.push(text(labelX + 20, 41, name, { size: 12, fill: ink }));
    labelX += 230;
  }
  return content;
}
