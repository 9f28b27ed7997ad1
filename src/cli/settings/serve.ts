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
  readPort,
  readSocketPath,
} from './readers.ts';
import { remoteRules, remoteSettings } from './remote-settings.ts';
import { securityRules, securitySettings } from './security-settings.ts';
import type { Settings, SettingValues } from './setting.ts';

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
    read: readPort,
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
    description: 'The same for gRPC, whose clients name it unix:PATH.',
  },
  'socket-mode': {
    type: 'text',
    placeholder: 'MODE',
    read: readMode,
    default: '660',
    description: 'Permissions of the sockets, in octal. To connect, a client needs the right to write.',
  },
  'socket-owner': {
    type: 'optional',
    placeholder: 'UID:GID',
    read: readOwner,
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
      'Whether / is a page on which people look at tokens. It is read from disk when somebody opens it, and needs no key; ' +
      'its requests do. false makes / lead to /docs.',
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
      'Largest answer, in bytes of tokens. The plan tells its size, so a larger one is refused before any work.',
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
      'How long requests in flight may take after that. With the delay, the default stays within the 30 seconds of ' +
      'Kubernetes.',
  },
} as const satisfies Settings;

type ServeValues = SettingValues<
  typeof addressSettings & typeof engineSettings & typeof teacherSettings & typeof limitSettings
>;

const portRules: readonly Rule<ServeValues>[] = [
  {
    of: ['socketMode'],
    problems({ httpSocket, grpcSocket, socketMode, socketOwner }) {
      if (httpSocket !== undefined || grpcSocket !== undefined) return [];
      const useless = [
        ...(socketMode === 0o660 ? [] : ['--socket-mode']),
        ...(socketOwner === undefined ? [] : ['--socket-owner']),
      ];
      return useless.map((flag) => `${flag} needs --http-socket or --grpc-socket.`);
    },
  },
  {
    of: ['httpPort', 'grpcPort'],
    problems: ({ httpPort, grpcPort }) =>
      httpPort !== grpcPort || httpPort === 0
        ? []
        : [`--http-port and --grpc-port are both ${httpPort}; they must differ.`],
  },
  {
    of: ['httpSocket', 'grpcSocket'],
    problems: ({ httpSocket, grpcSocket }) =>
      httpSocket === undefined || httpSocket !== grpcSocket
        ? []
        : [`--http-socket and --grpc-socket are both ${httpSocket}; they must differ.`],
  },
  {
    of: ['httpPort', 'grpcPort', 'metricsPort'],
    problems: ({ httpPort, grpcPort, metricsPort }) =>
      Object.entries({ '--http-port': httpPort, '--grpc-port': grpcPort })
        .filter(([, port]) => port !== 0 && port === metricsPort)
        .map(([flag, port]) => `${flag} and --metrics-port are both ${port}; they must differ.`),
  },
];

const teacherIsServed: Rule<ServeValues> = {
  of: ['models'],
  problems({ models, teacher }) {
    const names: readonly string[] = models.length === 0 ? embeddedNames : models.map(servedName);
    if (teacher === undefined || names.includes(teacher)) return [];
    return [`--teacher is "${teacher}"; the served models are ${names.join(', ')}.`];
  },
};

const limitRules: readonly Rule<ServeValues>[] = [
  {
    of: ['maxBodyBytes', 'maxInflightBytes'],
    problems: ({ maxBodyBytes, maxInflightBytes }) =>
      maxBodyBytes <= maxInflightBytes
        ? []
        : [`--max-body-bytes ${maxBodyBytes} can never fit in --max-inflight-bytes ${maxInflightBytes}.`],
  },
  {
    of: ['maxAnswerBytes', 'maxUnreadBytes'],
    problems: ({ maxAnswerBytes, maxUnreadBytes }) =>
      maxAnswerBytes <= maxUnreadBytes
        ? []
        : [`--max-answer-bytes ${maxAnswerBytes} can never fit in --max-unread-bytes ${maxUnreadBytes}.`],
  },
  {
    of: ['maxBatch', 'maxQueuedViews'],
    problems: ({ maxBatch, maxQueuedViews }) =>
      maxBatch <= maxQueuedViews
        ? []
        : [`--max-batch ${maxBatch} can never fill with --max-queued-views ${maxQueuedViews}.`],
  },
  {
    of: ['maxImages', 'maxQueuedViews'],
    problems: ({ maxImages, maxQueuedViews }) =>
      maxImages <= maxQueuedViews
        ? []
        : [`--max-images ${maxImages} can never fit in --max-queued-views ${maxQueuedViews}.`],
  },
];

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
  rules: [...portRules, ...engineRules, ...remoteRules, teacherIsServed, ...limitRules, ...securityRules],
});

export type ServeSettings = SettingValues<typeof serveCommand.settings>;
