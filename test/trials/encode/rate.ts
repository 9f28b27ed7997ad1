// Compares the rate of `encode` with that of session.run alone; README.md says how.
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BareLoop, calibratedModel } from '../../../bench/throughput/bare-loops.ts';
import { median } from '../../../bench/report/statistics.ts';
import { runProgram } from '../../support/external.ts';
import { scratchFolder } from '../../support/tiny-models.ts';

const rounds = Number(process.argv[2] ?? 5);
const seconds = 15;
const threads = 1;
const scratch = scratchFolder();
const bare = new BareLoop(threads);
try {
  const model = await calibratedModel(bare, console.log);
  const batches = await bare.byBatch(model);
  const [best] = batches.toSorted((a, b) => b.perSecond - a.perSecond);
  const input = join(scratch.path, 'pictures');
  mkdirSync(input);
  const count = Math.ceil(best!.perSecond * seconds);
  for (let index = 0; index < count; index += 1) {
    copyFileSync('test/fixtures/images/rocket.jpg', join(input, `${index}.jpg`));
  }
  console.log(`batches of ${best!.views}, ${count} pictures a round`);
  const ratios: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const before = await bare.rate(model, best!.views, 6000);
    const out = join(scratch.path, `out-${round}`);
    const settings = ['--model', model.folder, '--threads', `${threads}`, '--max-batch', `${best!.views}`];
    const { stdout, stderr } = await runProgram('node', [
      'bin/siglip-hd.cjs',
      'encode',
      input,
      '--out',
      out,
      ...settings,
    ]);
    const encode = Number(/([\d.]+) images\/s/.exec(stdout)?.[1]);
    if (Number.isNaN(encode)) throw new Error(stderr);
    const after = await bare.rate(model, best!.views, 6000);
    ratios.push(encode / ((before + after) / 2));
    console.log(
      `round ${round}: session.run ${before.toFixed(2)} and ${after.toFixed(2)} views/s, encode ${encode.toFixed(2)} images/s: ${ratios.at(-1)!.toFixed(3)}`,
    );
  }
  console.log(`median of the rounds' ratios: ${median(ratios).toFixed(3)}`);
} finally {
  await bare.close();
  scratch.remove();
}
