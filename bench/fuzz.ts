import { parseArgs } from 'node:util';
import { readCorpus } from './fuzz/corpus.ts';
import { fuzz } from './fuzz/run.ts';
import { secondHalfRatio, residentTable } from './load/rows/resident-table.ts';
import { startStub } from './load/stub-process.ts';
import { resultText } from './report.ts';
import { isMet, type Verdict } from './section.ts';

const usage = `Usage: siglip-hd bench fuzz [--seed N] [--cases N] [--only CASE]
Sends mutated images, forms, JSON, options, headers, gRPC messages and bytes that are hardly HTTP to a service. The same seed
makes the same cases; --only sends one of them. Exit code 1 when the service did something wrong.
`;

/** A service whose engine is a stub, and every other part as it is, against a seeded fuzzer. */
export async function runFuzz(args: readonly string[]): Promise<0 | 1 | 2> {
  const asked = readArguments(args);
  if (asked === undefined) {
    process.stderr.write(usage);
    return 2;
  }
  const { seed, cases, only } = asked;
  const corpus = await readCorpus();
  // A cache that is full soon, so that its filling is not taken for a leak.
  const flags = ['--max-body-bytes=1MiB', '--max-pixels=20000000', '--cache-bytes=4MiB'];
  const service = await startStub({ batchMs: 1, viewMs: 0, channels: 8, batch: 16, queued: 512, flags });
  try {
    const range = only === undefined ? { from: 0, to: cases } : { from: only, to: only + 1 };
    const report = await fuzz(service, corpus, { seed, ...range }, (line) =>
      process.stderr.write(`  fuzz: ${line}\n`),
    );
    const halves = secondHalfRatio(report.residentBytes);
    const verdicts: Verdict[] = [
      { what: 'hangs, 5xx and their like', value: report.findings.length, limit: 'at most', bar: 0 },
      ...(only === undefined
        ? [
            {
              what: "memory of the second half, of the first's",
              value: halves,
              limit: 'at most',
              bar: 1.05,
            } as const,
          ]
        : []),
    ];
    const endings = Object.entries(report.endings).toSorted(([, a], [, b]) => b - a);
    process.stdout.write(
      resultText({
        tables: [
          {
            title: `${report.cases} cases of seed ${seed}`,
            columns: [{ title: 'ending' }, { title: 'cases' }],
            rows: endings,
          },
          residentTable([{ name: 'service', bytes: report.residentBytes }]),
        ],
        verdicts,
        notes: report.findings
          .slice(0, 50)
          .map(
            ({ number, what, ending }) =>
              `case ${number}, ${what}: ${ending} (--seed ${seed} --only ${number})`,
          ),
      }),
    );
    return verdicts.every(isMet) ? 0 : 1;
  } finally {
    await service.close();
  }
}

function readArguments(
  args: readonly string[],
): { readonly seed: number; readonly cases: number; readonly only: number | undefined } | undefined {
  try {
    const text = { type: 'string' } as const;
    const { values } = parseArgs({ args: [...args], options: { seed: text, cases: text, only: text } });
    const number = (value: string | undefined, standard: number): number => {
      if (value === undefined) return standard;
      if (!/^\d{1,9}$/.test(value)) throw new RangeError(value);
      return Number(value);
    };
    const only = values.only === undefined ? undefined : number(values.only, 0);
    return { seed: number(values.seed, 1), cases: number(values.cases, 20_000), only };
  } catch {
    return undefined;
  }
}
