import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readCorpus } from './corpus.ts';
import { fuzzCase } from './cases.ts';
import { writeCase } from './findings.ts';
import { allocatorName, startFuzzedService } from './fuzzed-service.ts';
import { type FuzzReport, fuzz } from './run.ts';
import { residentTable, secondHalfRatio } from '../load/rows/resident-table.ts';
import { benchCache } from '../processes/paths.ts';
import { resultText } from '../report/report.ts';
import { isMet, type Verdict } from '../report/section.ts';

/** Where the inputs of findings are written when no other folder is named. */
const defaultFolder = join(benchCache, 'fuzz-findings');

const usage = `Usage: siglip-hd bench fuzz [--seed N] [--cases N] [--only CASE] [--json FILE] [--findings FOLDER]

Sends mutated images, forms, JSON, options, headers, gRPC messages, infer requests and bytes that
are hardly HTTP to a service. The same seed makes the same cases, each by its number alone; --only
sends one of them. What a finding was made with is written into a folder; when none is given, into
${defaultFolder}.
Memory is judged in runs of 30,000 cases and more.

Exit status: 1 if the service did something wrong; 2 for wrong usage.
`;

/** Looks before memory is judged: some 20,000 cases fill caches, pools and the young generations of all threads. */
const warmUpLooks = 100;
/** Looks after that for which halves can be compared: some 10,000 cases. */
const enoughLooks = 50;

/** The service as a user runs it, on a tiny model, against a seeded fuzzer. */
export async function runFuzz(args: readonly string[]): Promise<0 | 1 | 2> {
  if (args.includes('--help')) {
    process.stdout.write(usage);
    return 0;
  }
  const asked = readArguments(args);
  if (asked === undefined) {
    process.stderr.write(usage);
    return 2;
  }
  const { seed, cases, only, json, folder } = asked;
  const corpus = await readCorpus();
  if (only !== undefined) {
    process.stdout.write(`${await writeCase(folder, seed, fuzzCase(corpus, seed, only))}\n`);
  }
  const service = await startFuzzedService();
  try {
    const range = only === undefined ? { from: 0, to: cases } : { from: only, to: only + 1 };
    const report = await fuzz(service, corpus, { seed, ...range, folder, isPatient: true }, (line) =>
      process.stderr.write(`  fuzz: ${line}\n`),
    );
    await service.close();
    const verdicts = [...verdictsOf(report), endVerdict(service.process.exitCode)];
    process.stdout.write(textOf(report, seed, verdicts));
    if (json !== undefined) {
      await writeFile(json, `${JSON.stringify({ seed, ...report, verdicts }, undefined, 2)}\n`);
    }
    return verdicts.every(isMet) ? 0 : 1;
  } finally {
    await service.close();
  }
}

function verdictsOf({ findings, residentBytes }: FuzzReport): Verdict[] {
  const found = { what: 'findings', value: findings.length, limit: 'at most', bar: 0 } as const;
  if (!isMemoryJudged(residentBytes)) return [found];
  const warm = residentBytes.slice(warmUpLooks);
  const what = "memory of the second half, of the first's";
  return [found, { what, value: secondHalfRatio(warm), limit: 'at most', bar: 1.05 }];
}

function isMemoryJudged({ length }: FuzzReport['residentBytes']): boolean {
  return length >= warmUpLooks + enoughLooks;
}

/** Everything was answered: whatever is left when the service is told to end, nobody waits for. */
function endVerdict(exitCode: number | null): Verdict {
  const what = 'exit code of the service, told to end';
  return { what, value: exitCode ?? Number.NaN, limit: 'at most', bar: 0 };
}

function textOf(report: FuzzReport, seed: number, verdicts: readonly Verdict[]): string {
  const { cases, seconds, endings, findings, slowest, residentBytes } = report;
  return resultText({
    tables: [
      {
        title: `${cases} cases of seed ${seed} in ${Math.round(seconds)} s`,
        columns: [{ title: 'ending' }, { title: 'cases' }],
        rows: Object.entries(endings).toSorted(([, a], [, b]) => b - a),
      },
      {
        title: 'What took longest',
        columns: [{ title: 'case' }, { title: 'of' }, { title: 'ms', digits: 0 }],
        rows: slowest.map(({ number, what, ms }) => [number, what, ms]),
      },
      residentTable([{ name: 'service', bytes: residentBytes }]),
    ],
    verdicts,
    notes: [
      `memory allocator: ${allocatorName}`,
      ...(isMemoryJudged(residentBytes) ? [] : ['memory not judged: too few cases']),
      ...findings.slice(0, 50).map(({ number, what, fault }) => {
        const again = number === undefined ? '' : ` (--seed ${seed} --only ${number})`;
        return `case ${number ?? '?'}, ${what}: ${fault}${again}`;
      }),
    ],
  });
}

interface Arguments {
  readonly seed: number;
  readonly cases: number;
  readonly only: number | undefined;
  readonly json: string | undefined;
  readonly folder: string;
}

function readArguments(args: readonly string[]): Arguments | undefined {
  try {
    const text = { type: 'string' } as const;
    const options = { seed: text, cases: text, only: text, json: text, findings: text };
    const { values } = parseArgs({ args: [...args], options });
    const number = (value: string): number => {
      if (!/^\d{1,9}$/.test(value)) throw new RangeError(value);
      return Number(value);
    };
    return {
      seed: number(values.seed ?? '1'),
      cases: number(values.cases ?? '20000'),
      only: values.only === undefined ? undefined : number(values.only),
      json: values.json,
      folder: values.findings ?? defaultFolder,
    };
  } catch {
    return undefined;
  }
}
