import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { anyresDefaults } from '../../src/recipes/anyres.ts';
import { planCost } from '../../src/recipes/cost.ts';
import { planRecipe } from '../../src/recipes/planner.ts';
import { teacherDefaults } from '../../src/recipes/teacher.ts';
import type { RecipeOptions } from '../../src/recipes/recipe-options.ts';
import { benchModel } from '../models/bench-model.ts';
import { LoadGenerator } from '../load/generator.ts';
import type { Target } from '../load/target.ts';
import { repository } from '../processes/paths.ts';
import type { Section, SectionResult } from '../report/section.ts';
import { type ServiceProcess, startService } from '../processes/service-process.ts';
import { median } from '../report/statistics.ts';
import { BareLoop, calibratedModel } from '../throughput/bare-loops.ts';
import { runMix } from './stub-mix.ts';

const clients = 4;
const threads = 1;
/** document.png: 3 x 3 tiles, of which none is discarded. */
const image = { file: 'test/fixtures/images/document.png', size: { width: 1218, height: 1722 } };
const recipes: readonly RecipeOptions[] = [
  { recipe: 'encode' },
  { recipe: 'teacher', ...teacherDefaults },
  { recipe: 'anyres', ...anyresDefaults },
];
const routes = { encode: 'encode', teacher: 'teacher-encode', anyres: 'anyres-encode' } as const;
const rounds = 3;
const bareMs = 10_000;
const until = { kind: 'time', settleMs: 8_000, windowMs: 30_000 } as const;

/** Whether views of all three endpoints fill batches as those of one do. */
export const mixed: Section = {
  title: `Mixed recipes: ${clients} clients of each endpoint send document.png`,
  async run(progress) {
    const stub = await onStub();
    const real = await onModel(progress);
    return {
      tables: [...stub.tables, ...real.tables],
      verdicts: [...stub.verdicts, ...real.verdicts],
      notes: [
        'On the stub time is simulated, and only the engine takes any: t(b) = 20 + 5b ms. "Encode alone" is as many clients of Encode as there are views under way in the mix.',
        "On the model, views a second are counted by the service's own batch metric over a window in which all clients are at work; bare loop and service alternate.",
      ],
    };
  },
};

const viewsOf = (recipe: RecipeOptions): number => planCost(planRecipe(image.size, benchModel, recipe)).views;

async function onStub(): Promise<Pick<SectionResult, 'tables' | 'verdicts'>> {
  const underWay = recipes.reduce((sum, recipe) => sum + clients * viewsOf(recipe), 0);
  const rows = [];
  for (const largest of [8, 16, 32, 64, 128]) {
    const mix = await runMix(
      recipes.map((recipe) => ({ recipe, clients })),
      image.size,
      largest,
      60_000,
    );
    const alone = await runMix([{ recipe: recipes[0]!, clients: underWay }], image.size, largest, 60_000);
    rows.push({ largest, mix, alone, ratio: mix.meanBatch / alone.meanBatch });
  }
  return {
    tables: [
      {
        title: `Mean batch on a stub engine, ${underWay} views under way`,
        columns: [
          { title: 'largest batch' },
          { title: 'mixed', digits: 2 },
          { title: 'Encode alone', digits: 2 },
          { title: 'ratio', digits: 3 },
          { title: 'mixed views/s', digits: 1 },
          { title: 'alone views/s', digits: 1 },
        ],
        rows: rows.map(({ largest, mix, alone, ratio }) => [
          largest,
          mix.meanBatch,
          alone.meanBatch,
          ratio,
          mix.viewsPerSecond,
          alone.viewsPerSecond,
        ]),
      },
    ],
    verdicts: rows
      .filter(({ largest }) => largest <= underWay / 2)
      .map(({ largest, ratio }) => ({
        what: `mean batch mixed, of Encode alone (largest ${largest})`,
        value: ratio,
        limit: 'at least' as const,
        bar: 0.9,
      })),
  };
}

async function onModel(
  progress: (line: string) => void,
): Promise<Pick<SectionResult, 'tables' | 'verdicts'>> {
  const bare = new BareLoop(threads);
  const loads = recipes.map(() => new LoadGenerator());
  try {
    const model = await calibratedModel(bare, progress);
    const best = (await bare.byBatch(model)).toSorted((a, b) => b.perSecond - a.perSecond)[0]!;
    const service = await startService(['--model', model.folder, '--threads', String(threads)]);
    try {
      const body = await readFile(join(repository, image.file));
      const targets = recipes.map(
        ({ recipe }): Target => ({
          transport: 'http',
          url: `${service.url}/v1/${routes[recipe]}?format=raw`,
          body,
        }),
      );
      const shares: number[] = [];
      for (const target of targets) {
        const each = await loads[0]!.oneByOne(target, 5, 100);
        shares.push(median(each.map(({ stagesMs, wallMs }) => (stagesMs['assemble'] ?? 0) / wallMs)));
      }
      const [bareRates, rates]: [number[], number[]] = [[], []];
      for (let round = 1; round <= rounds; round++) {
        bareRates.push(await bare.rate(model, best.views, bareMs));
        const under = loads.map((load, i) => load.closedLoop(targets[i]!, clients, until));
        const [rate] = await Promise.all([viewsPerSecond(service), ...under]);
        rates.push(rate);
        progress(
          `round ${round} of ${rounds}: bare ${bareRates.at(-1)!.toFixed(2)}, mixed ${rates.at(-1)!.toFixed(2)} views/s`,
        );
      }
      const ratio = median(rates.map((rate, round) => rate / bareRates[round]!));
      return {
        tables: [
          {
            title: `Views a second, one engine thread, medians of ${rounds} rounds (${(1000 / best.perSecond).toFixed(0)} ms a view)`,
            columns: [{ title: 'path' }, { title: 'views/s', digits: 2 }, { title: 'ratio', digits: 3 }],
            rows: [
              [`session.run, batch ${best.views}`, median(bareRates), 1],
              ['the three endpoints', median(rates), ratio],
            ],
          },
          {
            title: 'Assembling, in percent of a request that is alone (384 channels)',
            columns: [{ title: 'endpoint' }, { title: 'views' }, { title: 'assembling %', digits: 2 }],
            rows: recipes.map((recipe, i) => [routes[recipe.recipe], viewsOf(recipe), shares[i]! * 100]),
          },
        ],
        verdicts: [{ what: 'mixed views/s, of the bare loop', value: ratio, limit: 'at least', bar: 0.93 }],
      };
    } finally {
      await service.close();
    }
  } finally {
    await Promise.all([bare.close(), ...loads.map((load) => load.close())]);
  }
}

/** What the engine ran from `settleMs` on, for `windowMs`. */
async function viewsPerSecond({ url }: ServiceProcess): Promise<number> {
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await wait(until.settleMs);
  const before = await viewsRun(url);
  const startMs = performance.now();
  await wait(until.windowMs - until.settleMs);
  const views = (await viewsRun(url)) - before;
  return (views / (performance.now() - startMs)) * 1000;
}

async function viewsRun(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const views = /^siglip_hd_batch_views_sum\{[^}]*\} ([\d.e+]+)$/m.exec(text)?.[1];
  if (views === undefined) throw new Error('/metrics has no count of views');
  return Number(views);
}
