import { ServiceError } from '../../errors/service-error.ts';

/** Why calls end before they are answered, in the words that clients and the log get. */
export const callFailure = {
  gone: () => new ServiceError('cancelled', 'The client went away.'),
  unread: () => new ServiceError('cancelled', 'The client left before it had read the answer.'),
  late: () => new ServiceError('deadline_exceeded', 'The deadline passed before the answer was ready.'),
  notArrived: (limitMs: number) =>
    new ServiceError(
      'deadline_exceeded',
      `The message did not arrive within ${Math.round(limitMs / 1000)} s.`,
    ),
  incomplete: () => new ServiceError('invalid_argument', 'The call ended before its message was complete.'),
  compressed: (encoding: string) =>
    new ServiceError(
      'unsupported_media',
      `The call is compressed (grpc-encoding: ${encoding.slice(0, 32)}); send it uncompressed. Compression does not make image files smaller.`,
    ),
  tooLarge: (sizeBytes: number, maxBytes: number, flag: string) => {
    const [size, limit] = [sizeBytes, maxBytes].map((value) => value.toLocaleString('en-US'));
    return new ServiceError('too_large', `The message has ${size} bytes; the limit is ${limit}${flag}.`);
  },
  tooManyChecks: () =>
    new ServiceError(
      'overloaded',
      'Too many health checks wait for their message; send it with the headers.',
    ),
} as const;
