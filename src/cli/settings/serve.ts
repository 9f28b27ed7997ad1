import { serveRules } from './contradictions.ts';
import { engineSettings, logSettings } from './engine-settings.ts';
import { securityRules, securitySettings } from './security-settings.ts';
import { readHost, readModelName, readOrigins, readPort, readRedisUrl } from './readers.ts';
import { command } from './command.ts';
import type { SettingValues } from './setting.ts';

const noOperands = { placeholder: '', min: 0, max: 0 };

/** Runs the service. */
export const serveCommand = command({
  name: 'serve',
  usage: 'serve [--model [NAME=]FOLDER]... [OPTION]...',
  summary:
    'Serves visual tokens over HTTP and gRPC until SIGTERM, SIGINT or SIGHUP, then finishes what is in flight.',
  operands: noOperands,
  settings: {
    host: {
      type: 'text',
      placeholder: 'ADDRESS',
      read: readHost,
      default: '0.0.0.0',
      description:
        'Address to listen on. The default is every IPv4 address, as a container needs; 127.0.0.1 keeps the ' +
        'service to this machine, :: adds IPv6.',
    },
    'http-port': {
      type: 'integer',
      min: 0,
      max: 65_535,
      default: '8080',
      description: 'Port of HTTP; 0 takes a free one.',
    },
    'grpc-port': {
      type: 'integer',
      min: 0,
      max: 65_535,
      default: '50051',
      description: 'Port of gRPC; 0 takes a free one.',
    },
    'metrics-port': {
      type: 'optional',
      placeholder: 'PORT',
      read: readPort,
      description:
        'Port of /metrics (with /healthz and /readyz) in plain HTTP, which the port of HTTP then has not; 0 takes a free one. ' +
        'Without it /metrics is on the port of HTTP.',
    },
    'cors-origins': {
      type: 'optional',
      placeholder: 'ORIGINS',
      read: readOrigins,
      description:
        'Web pages that may use the HTTP API from a browser: origins with commas between them, as in ' +
        'https://app.example,http://localhost:3000, or * for any page. None when absent.',
    },
    ...engineSettings,
    teacher: {
      type: 'optional',
      placeholder: 'NAME',
      read: readModelName,
      description:
        'Served model that TeacherEncode uses where a request names none. In the paper it is the frozen SigLIP 2, not ' +
        'SigLIP-HD. The default model when absent.',
    },
    'max-answer-bytes': {
      type: 'bytes',
      min: 1024,
      max: 2 ** 40,
      default: '256MiB',
      description:
        'Largest answer, in bytes of tokens; it is known from the plan and refused before any work.',
    },
    'max-body-bytes': {
      type: 'bytes',
      min: 1024,
      max: 2 ** 30,
      default: '20MiB',
      description: 'Largest body of an HTTP request and largest gRPC message that is received.',
    },
    'max-inflight-bytes': {
      type: 'bytes',
      min: 1024,
      max: 2 ** 40,
      default: '512MiB',
      description:
        'Most bytes of HTTP bodies and gRPC messages at one time, until their images are encoded. A body counts with its declared ' +
        'length, or as the largest if it declares none, and is refused before it is read if it does not fit.',
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
        'Most views between admission and answer, over all models; a request that does not fit is refused at once.',
    },
    'cache-bytes': {
      type: 'bytes',
      min: 0,
      max: 2 ** 40,
      default: '256MiB',
      description:
        'Tokens that are kept, in bytes, for the next request with the same image and options; the least recently used go ' +
        'first, and 0 keeps none.',
    },
    'share-cache': {
      type: 'boolean',
      description:
        'Has what one API key had encoded answer other keys too. They could find out which images it sends.',
    },
    'redis-url': {
      type: 'optional',
      placeholder: 'URL',
      read: readRedisUrl,
      description:
        'Redis that keeps tokens for several services, redis[s]://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]. Its loss or its ' +
        'slowness costs hits, and nothing else.',
    },
    'redis-timeout-ms': {
      type: 'milliseconds',
      min: 1,
      max: 10_000,
      default: '50',
      description:
        'How long a request waits for Redis; after one that waited in vain it is not asked for a second.',
    },
    'redis-keep-ms': {
      type: 'milliseconds',
      min: 1000,
      max: 31_536_000_000,
      default: '86400000',
      description: 'After which time Redis forgets tokens.',
    },
    'max-unread-bytes': {
      type: 'bytes',
      min: 1024,
      max: 2 ** 40,
      default: '2GiB',
      description:
        'Most bytes of answers that are being made or that their clients have not read yet; beyond it requests are ' +
        'refused, before they are encoded, so that slow readers cannot fill the memory.',
    },
    'request-timeout-ms': {
      type: 'milliseconds',
      min: 1,
      max: 3_600_000,
      default: '60000',
      description: 'Longest a request may take; a shorter deadline of the caller holds as well.',
    },
    'drain-delay-ms': {
      type: 'milliseconds',
      min: 0,
      max: 600_000,
      default: '5000',
      description:
        'How long requests are still accepted after SIGTERM, while the service says that it is not ready: load balancers ' +
        'need that time to look elsewhere. After SIGINT and SIGHUP there is no delay.',
    },
    'drain-grace-ms': {
      type: 'milliseconds',
      min: 0,
      max: 3_600_000,
      default: '20000',
      description:
        "How long requests in flight may take after that; with the delay the default stays under Kubernetes' 30 seconds.",
    },
    ...securitySettings,
    ...logSettings,
  },
  rules: [...serveRules, ...securityRules],
});

export type ServeSettings = SettingValues<typeof serveCommand.settings>;
