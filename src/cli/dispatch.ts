import { didYouMean } from '../errors/did-you-mean.ts';
import { withoutControls } from '../errors/quoted.ts';
import { ServiceError } from '../errors/service-error.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { compareModels } from './compare/compare.ts';
import type { CompareParts } from './compare/comparison-run.ts';
import type { EncodeParts, encodeFiles } from './encode/encode.ts';
import type { exportTriton } from './export-triton.ts';
import { describeFailure, type ExitCode } from './exit-code.ts';
import { type ImportParts, importCheckpoint } from './import/import.ts';
import { type ServeParts, serve } from './serve.ts';
import type { CommandSchema } from './settings/command.ts';
import { compareCommand } from './settings/compare.ts';
import { encodeCommand } from './settings/encode.ts';
import { exportTritonCommand } from './settings/export-triton.ts';
import { benchOutline, commandHelp, programHelp } from './settings/help.ts';
import { importCommand } from './settings/import.ts';
import { type CommandInput, commands, parseCommand } from './settings/parse.ts';
import { serveCommand } from './settings/serve.ts';
import type { Settings, SettingValues } from './settings/setting.ts';
import { Interruption, type Terminal } from './terminal.ts';

/** The implementations of the commands, each loaded only when its command runs, so that --help is quick. */
export interface Parts {
  readonly version: string;
  serve(): Promise<Pick<ServeParts, 'startService' | 'wait' | 'kill'>>;
  import(): Promise<ImportParts>;
  encode(): Promise<Omit<EncodeParts, 'logger'> & { readonly encodeFiles: typeof encodeFiles }>;
  compare(): Promise<Omit<CompareParts, 'logger'> & { readonly compareModels: typeof compareModels }>;
  exportTriton(): Promise<typeof exportTriton>;
  bench(args: readonly string[]): Promise<ExitCode>;
}

/** For an operator who sets only the client's variable, which leaves the service open. */
const clientKeyWarning =
  'SIGLIPHD_API_KEY is the key that a client sends; the service ignores it and asks for no key. To require keys, set ' +
  'SIGLIPHD_API_KEYS=NAME:KEY or --api-keys-file.';

/**
 * Runs the command that the first argument names. Reports failures on stderr, a line each; never rejects. If a stop signal
 * interrupts the command, the process dies of that signal.
 */
export async function dispatch(program: CommandInput, terminal: Terminal, parts: Parts): Promise<ExitCode> {
  const [name, ...args] = program.args;
  const input = { ...program, args };
  try {
    switch (name) {
      case 'serve':
        return await run(serveCommand, input, terminal, async (settings) => {
          const logger = createLogger(settings, terminal.stdout);
          if (program.env['SIGLIPHD_API_KEY'] && !settings.apiKeys && settings.apiKeysFile === undefined)
            logger.warn(clientKeyWarning);
          return await serve(settings, logger, { ...terminal, ...(await parts.serve()) });
        });
      case 'import':
        return await run(importCommand, input, terminal, async (settings, [source = '']) =>
          importCheckpoint(source, settings, terminal, await parts.import()),
        );
      case 'encode':
        return await run(encodeCommand, input, terminal, async (settings, files) => {
          const logger = createLogger(settings, terminal.stderr);
          const encode = await parts.encode();
          return await encode.encodeFiles(files, settings, terminal, { ...encode, logger });
        });
      case 'compare':
        return await run(compareCommand, input, terminal, async (settings, operands) => {
          const logger = createLogger(settings, terminal.stderr);
          const compare = await parts.compare();
          return await compare.compareModels(operands, settings, terminal, { ...compare, logger });
        });
      case 'export-triton':
        return await run(exportTritonCommand, input, terminal, async (settings, [folder = '']) =>
          (await parts.exportTriton())(folder, settings, terminal),
        );
      case 'bench':
        return await parts.bench(args);
      case '--version':
      case '-v':
        terminal.stdout.write(`${parts.version}\n`);
        return 0;
      case 'help':
        return await dispatch({ ...program, args: [args[0] ?? '--help', '--help'] }, terminal, parts);
      case '--help':
      case '-h':
        terminal.stdout.write(programHelp());
        return 0;
      case undefined:
        terminal.stderr.write(programHelp());
        return 2;
      default:
        return refuse(terminal, [unknownCommand(name)]);
    }
  } catch (error) {
    const { exitCode, text } = describeFailure(error);
    // A service's sentence is in it as it came. A stack has lines.
    report(
      terminal,
      error instanceof ServiceError ? (error.sentences ?? [text]).map(withoutControls) : [text],
    );
    if (error instanceof Interruption) terminal.exitAtOnce(error.signal);
    return exitCode;
  }
}

async function run<T extends Settings>(
  schema: CommandSchema<T>,
  input: CommandInput,
  terminal: Terminal,
  command: (settings: SettingValues<T>, operands: readonly string[]) => Promise<ExitCode>,
): Promise<ExitCode> {
  const parsed = parseCommand(schema, input);
  switch (parsed.kind) {
    case 'help':
      terminal.stdout.write(commandHelp(schema));
      return 0;
    case 'refused':
      return refuse(terminal, parsed.problems);
    case 'run':
      break;
  }
  return await command(parsed.settings, parsed.operands);
}

function unknownCommand(name: string): string {
  const known = [...[...commands, benchOutline].map((command) => command.name), '--help', '--version'];
  return `there is no command "${name}"; siglip-hd --help lists the commands.${didYouMean(name, known)}`;
}

function refuse(terminal: Terminal, problems: readonly string[]): ExitCode {
  report(terminal, problems);
  return 2;
}

function report({ stderr }: Terminal, faults: readonly string[]): void {
  for (const fault of faults) stderr.write(`siglip-hd: ${fault}\n`);
}
