import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runProgram } from './external.ts';

export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export interface Stage {
  readonly name: string;
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

/** The stages of a Dockerfile. */
export function readStages(path: string): readonly Stage[] {
  const text = readFileSync(path, 'utf8')
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll('\\\n', ' ');
  const stages: (Stage & { readonly instructions: Instruction[] })[] = [];
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    const stage = /^(\S+) AS (\S+)$/.exec(rest);
    if (name === 'FROM') stages.push({ from: stage![1]!, name: stage![2]!, instructions: [] });
    else stages.at(-1)!.instructions.push({ name, text: rest.trim() });
  }
  return stages;
}

/**
 * Carries a stage out in a folder that stands for its WORKDIR, as the image's builder would: files of the
 * repository, not what lies beside them, and its own RUN lines. Rejects with what a line that fails says.
 */
export async function carryOut(stage: Stage, folder: string, built?: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const { name, text } of stage.instructions) {
    if (name === 'COPY') copy(text, folder, built);
    // What the base image is given has no part in the service's folder.
    if (name !== 'RUN' || text.startsWith('apt-get')) continue;
    const { exitCode, stdout, stderr } = await runProgram('sh', ['-ec', `cd '${folder}' && ${text}`]);
    if (exitCode !== 0) throw new Error(`RUN ${text}: ${stdout}${stderr}`);
  }
}

function copy(text: string, folder: string, built: string | undefined): void {
  const [, from, paths = ''] = /^(?:--from=(\S+) )?(.*)$/.exec(text) ?? [];
  const sources = paths.split(/\s+/);
  const target = sources.pop()!;
  // Models and node itself lie elsewhere in the image.
  if (target.startsWith('/')) return;
  for (const source of sources) {
    const path = target.endsWith('/') ? join(folder, target, basename(source)) : join(folder, target);
    if (from !== undefined) cpSync(join(built!, source.replace(/^\/app\//, '')), path, { recursive: true });
    else copyTracked(source, path);
  }
}

function copyTracked(source: string, path: string): void {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', source]);
  for (const file of listed.toString().trim().split('\n')) {
    cpSync(file, file === source ? path : join(path, file.slice(source.length + 1)), { recursive: true });
  }
}
