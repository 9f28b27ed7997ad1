import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

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

/** A folder to build in. However the process ends, what runs in it is killed and the folder is removed. */
export function buildFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'siglip-hd-image-'));
  process.once('exit', () => {
    for (const group of running) process.kill(-group, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  // The test runner sends it at its time limit, and a process without a listener has no exit event.
  process.once('SIGTERM', () => process.exit(143));
  return folder;
}

/** Process groups of the RUN lines under way. */
const running = new Set<number>();

/**
 * Carries out a stage of the image in a folder that stands for its WORKDIR: copies files of the repository that git
 * knows, and runs its RUN lines. Rejects with the output of a line that fails.
 */
export async function carryOut(stage: Stage, folder: string, built?: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const { name, text } of stage.instructions) {
    if (name === 'COPY') copy(text, folder, built);
    // Packages of the base image are not in the service's folder.
    if (name !== 'RUN' || text.startsWith('apt-get')) continue;
    await runLine(folder, text);
  }
}

async function runLine(folder: string, line: string): Promise<void> {
  const child = spawn('sh', ['-ec', line], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const group = child.pid!;
  running.add(group);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const [exitCode] = (await once(child, 'close')) as [number | null];
  running.delete(group);
  if (exitCode !== 0) throw new Error(`RUN ${line}: ${output}`);
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
