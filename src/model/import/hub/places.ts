import { userInfo } from 'node:os';
import { join } from 'node:path';
import { invalidArgument } from '../../../errors/invalid-argument.ts';

/** The folder of models--OWNER--NAME. Throws `invalid_argument` where it would be in a home that does not exist. */
export function findCacheFolder(env: NodeJS.ProcessEnv, home: FindHome = () => findHome(env)): string {
  const named = env['HF_HUB_CACHE'] || env['HUGGINGFACE_HUB_CACHE'];
  const folder = named ? expand(named, env, home) : under(findHubHome(env, home), 'hub');
  if (folder !== undefined) return folder;
  throw invalidArgument(
    "This user has no home folder for the hub's cache; set HF_HOME or HF_HUB_CACHE to a folder that can be written.",
  );
}

/** The file in which `hf auth login` keeps its token; undefined where it would be in a home that does not exist. */
export function findTokenFile(
  env: NodeJS.ProcessEnv,
  home: FindHome = () => findHome(env),
): string | undefined {
  const named = env['HF_TOKEN_PATH'];
  return named ? expand(named, env, home) : under(findHubHome(env, home), 'token');
}

type FindHome = () => string | undefined;

function findHubHome(env: NodeJS.ProcessEnv, home: FindHome): string | undefined {
  if (env['HF_HOME']) return expand(env['HF_HOME'], env, home);
  if (env['XDG_CACHE_HOME']) return expand(join(env['XDG_CACHE_HOME'], 'huggingface'), env, home);
  return under(home(), join('.cache', 'huggingface'));
}

function under(folder: string | undefined, name: string): string | undefined {
  return folder === undefined ? undefined : join(folder, name);
}

/** `~` and `$NAME` as Python's expanduser and expandvars have them. */
function expand(path: string, env: NodeJS.ProcessEnv, home: FindHome): string | undefined {
  const absolute = /^~(?=\/|$)/.test(path) ? under(home(), path.slice(1)) : path;
  return absolute?.replaceAll(
    /\$(?:(\w+)|\{(\w+)\})/g,
    (all, plain: string, braced: string) => env[plain ?? braced] ?? all,
  );
}

/** HOME, else what the user database says; a user id that a container made up is not in it. */
function findHome(env: NodeJS.ProcessEnv): string | undefined {
  if (env['HOME']) return env['HOME'];
  try {
    return userInfo().homedir;
  } catch {
    return undefined;
  }
}
