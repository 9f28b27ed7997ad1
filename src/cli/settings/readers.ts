import { type ModelSource, servedName } from '../../model/model-source.ts';
import type { Devices } from '../../inference/devices.ts';
import { type Endpoint, parseEndpoint } from '../../inference/remote/endpoint.ts';
import { readFeatureLayers } from '../../model/feature-layer.ts';
import { type FeatureLayer, featureLayers } from '../../model/model.ts';
import type { Resize } from '../../recipes/plan.ts';
import { numberPattern } from '../../transport/number-pattern.ts';
import { longestSocketPath } from '../../transport/socket-file.ts';
import { type Reading, wrong } from './setting.ts';

/** A server for a model: the one that it names, or the only one. */
export interface RemoteEngineSource {
  readonly model?: string;
  readonly endpoint: Endpoint;
}

const number = new RegExp(`^${numberPattern}$`);
const modelName = /^[A-Za-z0-9._-]{1,64}$/;

/** `cpu`, `cuda` or comma-separated `cuda:N`. */
export function readDevices(text: string): Reading<Devices> {
  if (text === 'cpu') return { ok: true, value: { kind: 'cpu' } };
  const matches = text.split(',').map((one) => /^cuda(?::(\d{1,3}))?$/.exec(one.trim()));
  const deviceIds = matches.flatMap((match) => (match === null ? [] : [Number(match[1] ?? 0)]));
  if (deviceIds.length < matches.length) {
    return wrong(`must be cpu, cuda, cuda:N or cuda:N,cuda:M, not "${text}"`);
  }
  const repeated = deviceIds.find((id, index) => deviceIds.indexOf(id) !== index);
  if (repeated === undefined) return { ok: true, value: { kind: 'cuda', deviceIds } };
  return wrong(`names cuda:${repeated} twice; --engines runs several engines on each device`);
}

/** `FOLDER` or `NAME=FOLDER`. The part before the first = is a name only if it has no slash. */
export function readModel(text: string): Reading<ModelSource> {
  const equals = text.indexOf('=');
  if (equals === -1 || text.slice(0, equals).includes('/')) {
    if (modelName.test(servedName({ folder: text }))) return { ok: true, value: { folder: text } };
    return wrong(`needs a name for "${text}", as in NAME=FOLDER`);
  }
  const name = readModelName(text.slice(0, equals));
  const folder = text.slice(equals + 1);
  if (!name.ok) return name;
  if (folder === '') return wrong(`has no folder after "${text}"`);
  return { ok: true, value: { name: name.value, folder } };
}

/** `[NAME=]grpc://HOST:PORT[/MODEL]`, or grpcs:// for TLS. */
export function readRemoteEngine(text: string): Reading<RemoteEngineSource> {
  const equals = text.indexOf('=');
  const endpoint = parseEndpoint(text.slice(equals + 1));
  if (endpoint === undefined) {
    return wrong(`must be like NAME=grpc://HOST:PORT, or grpcs:// for TLS, not "${text}"`);
  }
  if (equals === -1) return { ok: true, value: { endpoint } };
  const model = readModelName(text.slice(0, equals));
  return model.ok ? { ok: true, value: { model: model.value, endpoint } } : model;
}

/** Reads a whole number of a range. */
export function readWholeNumber(least: number, most: number): (text: string) => Reading<number> {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return { ok: true, value };
    return wrong(`must be a whole number from ${least} to ${most}, not "${text}"`);
  };
}

/** A path that a Unix domain socket can have. */
export function readSocketPath(text: string): Reading<string> {
  // As gRPC clients and the log line `ready` write it.
  if (text.startsWith('unix:')) {
    return wrong(`must be a path without "unix:" before it, not "${text}"`);
  }
  const length = Buffer.byteLength(text);
  if (length >= 1 && length <= longestSocketPath) return { ok: true, value: text };
  return wrong(`must be a path of 1 to ${longestSocketPath} bytes, not one of ${length}`);
}

/** Permissions in octal. */
export function readMode(text: string): Reading<number> {
  if (/^0?[0-7]{3}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if ((mode & 0o222) !== 0) return { ok: true, value: mode };
    return wrong(`is ${text}, which lets nobody write, so nobody could connect; use 660`);
  }
  return wrong(`must be three octal digits, as in 660, not "${text}"`);
}

/** `UID`, `:GID` or `UID:GID`. */
export function readOwner(
  text: string,
): Reading<{ readonly uid: number | undefined; readonly gid: number | undefined }> {
  const match = /^(\d{1,9})?(?::(\d{1,9}))?$/.exec(text);
  if (match === null || text === '') {
    return wrong(`must be UID, :GID or UID:GID in numbers, not "${text}"`);
  }
  const [uid, gid] = [match[1], match[2]].map((id) => (id === undefined ? undefined : Number(id)));
  return { ok: true, value: { uid, gid } };
}

/** The name of a model. */
export function readModelName(text: string): Reading<string> {
  if (modelName.test(text)) return { ok: true, value: text };
  return wrong(`needs a name of 1 to 64 of A-Z a-z 0-9 . _ -, not "${text}"`);
}

/** An IP address or a host name. */
export function readHost(text: string): Reading<string> {
  if (/^[A-Za-z0-9.:_-]+$/.test(text)) return { ok: true, value: text };
  return wrong(`must be an address or a host name, not "${text}"`);
}

/** A URL of Redis. It may contain a password, so the problem does not quote it. */
export function readRedisUrl(text: string): Reading<string> {
  const isUrl =
    URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol) && new URL(text).hostname !== '';
  if (isUrl) return { ok: true, value: text };
  return wrong('must be like redis://HOST:6379, or rediss:// for TLS');
}

/** The address of a service, without a slash at its end. */
export function readServiceUrl(text: string): Reading<string> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (url === undefined || !/^https?:$/.test(url.protocol) || !isPlain) {
    return wrong('must be like http://HOST:8080, or https:// for TLS, without a user or a query');
  }
  return { ok: true, value: `${url.origin}${url.pathname}`.replace(/\/+$/, '') };
}

/** An API key, which the problem does not quote. */
export function readApiKey(text: string): Reading<string> {
  if (/^[\x21-\x7e]{1,1024}$/.test(text)) return { ok: true, value: text };
  return wrong('must be 1 to 1024 visible ASCII characters');
}

/** Comma-separated origins of web pages (RFC 6454), or `*`. */
export function readOrigins(text: string): Reading<readonly string[]> {
  const origins = text.split(',').map((origin) => origin.trim());
  const bad = origins.find((origin) => origin !== '*' && !isOrigin(origin));
  if (bad === undefined) return { ok: true, value: origins };
  return wrong(`must be origins like https://app.example, or *, not "${bad}"`);
}

function isOrigin(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

/** Reads a number above 0 and at most `most`. */
export function readPositive(most: number): (text: string) => Reading<number> {
  return (text) => {
    const value = number.test(text) ? Number(text) : 0;
    if (value > 0 && value <= most) return { ok: true, value };
    return wrong(`must be a number above 0 and at most ${most}, not "${text}"`);
  };
}

/** Hidden states separated by commas, the default first. */
export function readFeatures(text: string): Reading<readonly FeatureLayer[]> {
  const value = readFeatureLayers(text);
  if (value !== undefined) return { ok: true, value };
  const names = `${featureLayers.join(', ')} or a number from the end such as -3`;
  return wrong(`must be ${names}, or several of them, each once and separated by commas, not "${text}"`);
}

/** One hidden state. */
export function readFeatureLayer(text: string): Reading<FeatureLayer> {
  const [value, ...others] = readFeatureLayers(text) ?? [];
  if (value !== undefined && others.length === 0) return { ok: true, value };
  return wrong(`must be ${featureLayers.join(', ')} or a number from the end such as -3, not "${text}"`);
}

export function readResize(text: string): Reading<Resize> {
  const chosen = (['squash', 'crop'] as const).find((one) => one === text);
  if (chosen !== undefined) return { ok: true, value: chosen };
  return wrong(`must be squash or crop, not "${text}"`);
}

/** A branch, tag or commit of a repository on the hub: a name that git allows and that cannot escape a folder. */
export function readRevision(text: string): Reading<string> {
  const isName = /^[\w.+@=/-]{1,255}$/.test(text) && text.split('/').every((part) => /^[^.-]/.test(part));
  if (isName && !text.includes('..')) return { ok: true, value: text };
  return wrong(`must be a branch, a tag or a commit, not "${text}"`);
}
