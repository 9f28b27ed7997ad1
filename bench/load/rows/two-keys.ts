import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serveCommand } from '../../../src/cli/settings/serve.ts';
import { benchCache } from '../../processes/paths.ts';
import type { Offer } from '../offer.ts';
import { Offers } from '../offers.ts';
import { startStub } from '../stub-process.ts';
import {
  answeredShare,
  capacity,
  codesText,
  lagNotes,
  latencyOf,
  placeOf,
  type Row,
  type RowOptions,
  stubText,
  type Transport,
} from './row.ts';

const usualSeconds = 30;
/** Below the half that is its share. */
const modestShare = 0.4;
const greedyTimes = 5;
const keys = { modest: 'modest-key-0123456789abcdef012345', greedy: 'greedy-key-0123456789abcdef012345' };
const takesKeys = Object.hasOwn(serveCommand.settings, 'api-keys-file');

/** Whether one caller's flood leaves another its share. */
export const twoKeys: Row = {
  title: 'Two keys: one asks for many times what the service can do, one for less than its half',
  async run(options, progress) {
    const found = [];
    for (const transport of options.transports) {
      found.push(await besideGreedy(options, transport));
      progress(`${transport}: done`);
    }
    return {
      tables: [
        {
          title: `Stub of ${stubText(options.stub)}; ms`,
          columns: [
            { title: 'transport' },
            { title: 'modest asks/s', digits: 1 },
            { title: 'modest alone p99' },
            { title: 'beside greedy p99' },
            { title: 'modest gets/s', digits: 1 },
            { title: 'of what it asks', digits: 3 },
            { title: 'greedy asks/s', digits: 1 },
            { title: 'greedy gets/s', digits: 1 },
          ],
          rows: found.map(({ transport, alone, modest, greedy }) => [
            transport,
            capacity(options.stub) * modestShare,
            latencyOf(alone, 'ok', 'p99Ms'),
            latencyOf(modest, 'ok', 'p99Ms'),
            modest.goodput,
            answeredShare(modest),
            capacity(options.stub) * greedyTimes,
            greedy.goodput,
          ]),
        },
      ],
      verdicts: found.map(({ transport, modest }) => ({
        what: `${transport} requests of the modest key that were answered, of all`,
        value: answeredShare(modest),
        limit: 'at least',
        bar: 0.99,
      })),
      notes: [
        ...(takesKeys ? [] : ['This service takes no keys: both callers are the same to it.']),
        ...found.flatMap(({ transport, modest, greedy, generatorCpu }) => [
          `${transport}: modest ${codesText(modest)}; greedy ${codesText(greedy)}.`,
          ...lagNotes([modest], generatorCpu),
        ]),
      ],
      data: found,
    };
  },
};

async function besideGreedy({ stub, seconds = usualSeconds, image, seed }: RowOptions, transport: Transport) {
  const file = join(benchCache, `keys-${process.pid}-${randomBytes(4).toString('hex')}`);
  await mkdir(benchCache, { recursive: true });
  const lines = Object.entries(keys).map(([name, key]) => `${name} ${key}\n`);
  await writeFile(file, lines.join(''), { mode: 0o600 });
  const service = await startStub({ ...stub, flags: takesKeys ? [`--api-keys-file=${file}`] : [] });
  const offers = new Offers();
  try {
    const common = {
      place: placeOf(service, transport),
      mix: { encode: 1 },
      image,
      settleMs: 2000,
      windowMs: seconds * 1000,
    };
    const of = (name: keyof typeof keys, share: number): Offer => ({
      ...common,
      name,
      arrivals: { kind: 'poisson', perSecond: capacity(stub) * share },
      headers: { authorization: `Bearer ${keys[name]}` },
      seed: name === 'modest' ? seed : seed + 10,
    });
    const alone = await offers.make(of('modest', modestShare));
    const report = await offers.make(of('modest', modestShare), of('greedy', greedyTimes));
    return {
      transport,
      alone: alone.offers[0]!,
      modest: report.offers[0]!,
      greedy: report.offers[1]!,
      generatorCpu: report.generatorCpu,
    };
  } finally {
    await offers.close();
    await service.close();
    await rm(file, { force: true });
  }
}
