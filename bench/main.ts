import { assembling } from './assembly/section.ts';
import { batching } from './batching/section.ts';
import { engines } from './engines/section.ts';
import { frontEnd } from './front-end/section.ts';
import { runFuzz } from './fuzz/section.ts';
import { idleLatency } from './idle-latency/section.ts';
import { mixed } from './mixed/section.ts';
import { load } from './load/section.ts';
import { machineText, readMachine } from './report/machine.ts';
import { peers } from './peers/section.ts';
import { resampling } from './resample/section.ts';
import { telemetry } from './telemetry/section.ts';
import { resultJson, resultText } from './report/report.ts';
import { isMet, type Section } from './report/section.ts';
import { didYouMean } from '../src/errors/did-you-mean.ts';
import { quoted } from '../src/errors/quoted.ts';
import { throughput } from './throughput/section.ts';
import { transportCpu } from './transport/section.ts';

const sections: Readonly<Record<string, Section>> = {
  throughput,
  'transport-cpu': transportCpu,
  telemetry,
  'idle-latency': idleLatency,
  'front-end': frontEnd,
  batching,
  engines,
  mixed,
  resample: resampling,
  assemble: assembling,
  peers,
};

const usage = `Usage: siglip-hd bench [--json] [SECTION]...
       siglip-hd bench load [OPTION]... [ROW]...
       siglip-hd bench fuzz [OPTION]...

Measures the service and prints tables; with --json one JSON document on standard output.

Sections, all if none is named:
  ${Object.keys(sections).join('\n  ')}

Load and fuzz have options of their own: siglip-hd bench load --help, siglip-hd bench fuzz --help.
Exit status: 1 if a section fails or misses its bar; 2 for wrong usage.
`;

/** Runs the sections that the arguments name, one after the other. A section that fails leaves the others to run. */
export async function main(args: readonly string[]): Promise<0 | 1 | 2> {
  if (args[0] === 'load') return await load(args.slice(1));
  if (args[0] === 'fuzz') return await runFuzz(args.slice(1));
  const names = args.filter((arg) => !arg.startsWith('-'));
  const flags = args.filter((arg) => arg.startsWith('-'));
  if (flags.includes('--help')) {
    process.stdout.write(usage);
    return 0;
  }
  const problem = problemOf(flags, names);
  if (problem !== undefined) {
    process.stderr.write(`siglip-hd bench: ${problem}\n\n${usage}`);
    return 2;
  }
  const asJson = flags.includes('--json');
  const say = (text: string) => {
    if (!asJson) process.stdout.write(text);
  };
  const machine = readMachine();
  say(`${machineText(machine)}\n`);
  const results: Record<string, object> = {};
  let isFine = true;
  for (const name of names.length > 0 ? names : Object.keys(sections)) {
    const section = sections[name]!;
    say(`\n## ${section.title}\n\n`);
    try {
      const result = await section.run((line) => process.stderr.write(`  ${name}: ${line}\n`));
      say(resultText(result));
      results[name] = resultJson(section, result);
      isFine &&= result.verdicts.every(isMet);
    } catch (thrown) {
      const reason = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
      process.stderr.write(`FAILED ${name}: ${reason}\n`);
      results[name] = { title: section.title, failed: reason };
      isFine = false;
    }
  }
  if (asJson) process.stdout.write(`${JSON.stringify({ machine, sections: results }, undefined, 2)}\n`);
  return isFine ? 0 : 1;
}

/** What is wrong with the arguments, if anything is. */
function problemOf(flags: readonly string[], names: readonly string[]): string | undefined {
  const flag = flags.find((each) => each !== '--json');
  if (flag !== undefined) return `there is no option ${quoted(flag)}.`;
  const name = names.find((each) => !Object.hasOwn(sections, each));
  if (name === undefined) return undefined;
  if (name === 'load' || name === 'fuzz') return `${name} must be the first argument.`;
  return `there is no section ${quoted(name)}.${didYouMean(name, [...Object.keys(sections), 'load', 'fuzz'])}`;
}
