import { readFile, writeFile } from 'node:fs/promises';
import { readLoadArguments, type LoadArguments, usage } from './arguments.ts';
import { drainsRow } from './rows/drains.ts';
import { engineFaultsRow } from './rows/engine-faults.ts';
import { leavers } from './rows/leavers.ts';
import { overload } from './rows/overload.ts';
import { priorities } from './rows/priorities.ts';
import type { Row } from './rows/row.ts';
import { slowReaders } from './rows/slow-readers.ts';
import { soak } from './rows/soak.ts';
import { twoKeys } from './rows/two-keys.ts';
import { offerTo } from './running-service.ts';
import { machineText, readMachine } from '../report/machine.ts';
import { rocketFile } from '../processes/paths.ts';
import { resultJson, resultText } from '../report/report.ts';
import { isMet } from '../report/section.ts';

const rows: Readonly<Record<string, Row>> = {
  overload,
  soak,
  leavers,
  'slow-readers': slowReaders,
  priorities,
  'two-keys': twoKeys,
  drains: drainsRow,
  'engine-faults': engineFaultsRow,
};

/**
 * Loads the service on a stub engine, a row after the other, or with --target one that runs already. A row that fails
 * leaves the others to run.
 */
export async function load(args: readonly string[]): Promise<0 | 1 | 2> {
  const reading = readLoadArguments(args, Object.keys(rows));
  if (reading.kind === 'help') {
    process.stdout.write(usage(Object.keys(rows)));
    return 0;
  }
  if (reading.kind === 'refused') {
    process.stderr.write(`${reading.problem}\n\n${usage(Object.keys(rows))}`);
    return 2;
  }
  const { asked } = reading;
  const image = await readFile(asked.image ?? rocketFile);
  const machine = readMachine();
  process.stdout.write(`${machineText(machine)}\n`);
  const results: Record<string, object> = {};
  let isFine = true;
  for (const [name, row] of chosen(asked)) {
    process.stdout.write(`\n## ${row.title}\n\n`);
    try {
      const result = await row.run({ ...asked, image }, (line) =>
        process.stderr.write(`  ${name}: ${line}\n`),
      );
      process.stdout.write(resultText(result));
      results[name] = { ...resultJson(row, result), data: result.data };
      isFine &&= result.verdicts.every(isMet);
    } catch (thrown) {
      const reason = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
      process.stderr.write(`FAILED ${name}: ${reason}\n`);
      results[name] = { title: row.title, failed: reason };
      isFine = false;
    }
  }
  if (asked.json !== undefined) {
    await writeFile(asked.json, `${JSON.stringify({ machine, rows: results }, undefined, 2)}\n`);
  }
  return isFine ? 0 : 1;
}

function chosen({ names, target }: LoadArguments): [string, Row][] {
  if (target !== undefined) return [['target', offerTo(target)]];
  return names.length === 0 ? Object.entries(rows) : names.map((name) => [name, rows[name]!]);
}
