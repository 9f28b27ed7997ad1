import { servedName } from '../../model/model-source.ts';
import { defaultTeacherName, embeddedNames } from '../../model/model.ts';
import { cacheSettings } from './cache-settings.ts';
import { command, type Rule } from './command.ts';
import { engineRules, engineSettings, logSettings } from './engine-settings.ts';
import {
  readHost,
  readMode,
  readModelName,
  readOrigins,
  readOwner,
  readSocketPath,
  readWholeNumber,
} from './readers.ts';
import { remoteRules, remoteSettings } from './remote-settings.ts';
import { securityRules, securitySettings } from './security-settings.ts';
import { flagName, type Settings, type SettingValues } from './setting.ts';

const addressSettings = {
  host: {
    type: 'text',
    placeholder: 'ADDRESS',
    read: readHost,
    default: {
      text: ':: where the machine has IPv6, else 0.0.0.0',
      of: ({ hasIpv6 }) => (hasIpv6 ? '::' : '0.0.0.0'),
    },
    description:
      'Address to listen on. The default is every address, IPv4 and IPv6, as a container needs; 127.0.0.1 keeps the ' +
      'service to this machine.',
  },
  'http-port': {
    type: 'integer',
    min: 0,
    max: 65_535,
    default: '8080',
    description: 'Port for HTTP; 0 picks a free one.',
  },
  'grpc-port': {
    type: 'integer',
    min: 0,
    max: 65_535,
    default: '50051',
    description: 'Port for gRPC; 0 picks a free one.',
  },
  'metrics-port': {
    type: 'optional',
    placeholder: 'PORT',
    read: readWholeNumber(0, 65_535),
    description:
      'Port for /metrics, /healthz and /readyz over plain HTTP; 0 picks a free one. The HTTP port then no longer ' +
      'serves /metrics. Without this setting it does.',
  },
  'http-socket': {
    type: 'optional',
    placeholder: 'PATH',
    read: readSocketPath,
    description:
      'Unix domain socket for HTTP, beside the port, for clients on the same machine. It is never encrypted: its ' +
      'permissions say who may connect. A socket that nobody listens on is replaced.',
  },
  'grpc-socket': {
    type: 'optional',
    placeholder: 'PATH',
    read: readSocketPath,
    description: 'Unix domain socket for gRPC, beside the port. Clients address it as unix:PATH.',
  },
  'socket-mode': {
    type: 'text',
    placeholder: 'MODE',
    read: readMode,
    default: '660',
    needs: ['http-socket', 'grpc-socket'],
    description: 'Permissions of the sockets, in octal. To connect, a client needs the right to write.',
  },
  'socket-owner': {
    type: 'optional',
    placeholder: 'UID:GID',
    read: readOwner,
    needs: ['http-socket', 'grpc-socket'],
    description:
      'Owner of the sockets in numbers: UID, :GID or UID:GID. By default those of the process. A process without ' +
      'privileges can only choose a group that it is in.',
  },
  'cors-origins': {
    type: 'optional',
    placeholder: 'ORIGINS',
    read: readOrigins,
    description:
      'Web pages that may use the HTTP API from a browser: comma-separated origins, as in ' +
      'https://app.example,http://localhost:3000, or * for any page. None by default.',
  },
  playground: {
    type: 'boolean',
    default: 'true',
    description:
      'Whether / is a page on which people look at tokens. The page needs no key; the requests that it sends do. With false, ' +
      '/ leads to /docs.',
  },
} as const satisfies Settings;

const teacherSettings = {
  teacher: {
    type: 'optional',
    placeholder: 'NAME',
    read: readModelName,
    default: {
      text: `the first model; ${defaultTeacherName} without --model`,
      of: (_, { models = [] }) =>
        (models as readonly unknown[]).length === 0 ? defaultTeacherName : undefined,
    },
    description:
      'Served model that TeacherEncode uses when a request names none. In the paper it is the frozen SigLIP 2, not ' +
      'SigLIP-HD.',
  },
} as const satisfies Settings;

const limitSettings = {
  'max-answer-bytes': {
    type: 'bytes',
    min: 1024,
    max: 2 ** 40,
    default: '256MiB',
    description:
      'Largest answer, in bytes of tokens. Its size is known from the plan, so a larger one is refused before any work.',
  },
  'max-body-bytes': {
    type: 'bytes',
    min: 1024,
    max: 2 ** 30,
    default: '20MiB',
    description: 'Largest HTTP request body and largest gRPC message that is received.',
  },
  'max-inflight-bytes': {
    type: 'bytes',
    min: 1024,
    max: 2 ** 40,
    default: '512MiB',
    description:
      'Most bytes of HTTP bodies and gRPC messages held at one time, until their images are encoded. A body counts ' +
      'with its declared length, or as the largest if it declares none; one that does not fit is refused unread.',
  },
  'max-images': {
    type: 'integer',
    min: 1,
    max: 1024,
    default: '16',
    description: 'Most images in one request.',
  },
  'max-queued-views': {
    type: 'integer',
    min: 1,
    max: 65_536,
    default: '512',
    description:
      'Most views between admission and answer, over all models. A request that does not fit is refused at once.',
  },
  'max-unread-bytes': {
    type: 'bytes',
    min: 1024,
    max: 2 ** 40,
    default: '2GiB',
    description:
      'Most bytes of answers being made or not yet read by their clients. Beyond it requests are refused before they ' +
      'are encoded, so that slow readers cannot fill the memory.',
  },
} as const satisfies Settings;

const timeSettings = {
  'request-timeout-ms': {
    type: 'milliseconds',
    min: 1,
    max: 3_600_000,
    default: '60000',
    description: 'Longest time a request may take. A shorter deadline of the caller applies as well.',
  },
  'drain-delay-ms': {
    type: 'milliseconds',
    min: 0,
    max: 600_000,
    default: '5000',
    description:
      'How long requests are still accepted after SIGTERM, while /readyz already fails, so that load balancers can ' +
      'move on. SIGINT and SIGHUP have no delay.',
  },
  'drain-grace-ms': {
    type: 'milliseconds',
    min: 0,
    max: 3_600_000,
    default: '20000',
    description:
      'How long requests in flight may still take after --drain-delay-ms. Together the defaults stay within the 30 ' +
      'seconds that Kubernetes gives.',
  },
} as const satisfies Settings;

type ServeValues = SettingValues<
  typeof addressSettings & typeof engineSettings & typeof teacherSettings & typeof limitSettings
>;

const addressRules = (
  [
    ['httpPort', 'grpcPort'],
    ['httpSocket', 'grpcSocket'],
    ['httpPort', 'metricsPort'],
    ['grpcPort', 'metricsPort'],
  ] as const
).map(
  ([one, other]): Rule<ServeValues> => ({
    of: [one, other],
    problems: (values) =>
      values[one] !== values[other] || values[one] === 0
        ? []
        : [`${flagName(one)} and ${flagName(other)} are both ${values[one]}; they must differ.`],
  }),
);

const teacherIsServed: Rule<ServeValues> = {
  of: ['models'],
  problems({ models, teacher }) {
    const names: readonly string[] = models.length === 0 ? embeddedNames : models.map(servedName);
    if (teacher === undefined || names.includes(teacher)) return [];
    return [`--teacher is "${teacher}"; the served models are ${names.join(', ')}.`];
  },
};

/** Each limit must have room for the largest single body, answer, batch or request, or it could never admit one. */
const limitRules = (
  [
    ['maxBodyBytes', 'fit in', 'maxInflightBytes'],
    ['maxAnswerBytes', 'fit in', 'maxUnreadBytes'],
    ['maxBatch', 'fill with', 'maxQueuedViews'],
    ['maxImages', 'fit in', 'maxQueuedViews'],
  ] as const
).map(
  ([part, verb, whole]): Rule<ServeValues> => ({
    of: [part, whole],
    problems: (values) =>
      values[part] <= values[whole]
        ? []
        : [`${flagName(part)} ${values[part]} can never ${verb} ${flagName(whole)} ${values[whole]}.`],
  }),
);

/** Runs the service. */
export const serveCommand = command({
  name: 'serve',
  usage: 'serve [--model [NAME=]FOLDER]... [OPTION]...',
  summary:
    'Serves visual tokens over HTTP and gRPC until SIGTERM, SIGINT or SIGHUP, then finishes the requests in flight.',
  operands: { placeholder: '', min: 0, max: 0 },
  settings: {
    ...addressSettings,
    ...engineSettings,
    ...remoteSettings,
    ...teacherSettings,
    ...limitSettings,
    ...cacheSettings,
    ...timeSettings,
    ...securitySettings,
    ...logSettings,
  },
  rules: [...addressRules, ...engineRules, ...remoteRules, teacherIsServed, ...limitRules, ...securityRules],
});

export type ServeSettings = SettingValues<typeof serveCommand.settings>;
