import { ServiceError } from '../errors/service-error.ts';
import { systemReason } from '../errors/system-reason.ts';

/** Why a transport cannot listen, as `failed_precondition`: one sentence, naming the flag that gives another port. */
export function listenFailure(
  { host, port, flag }: { readonly host: string; readonly port: number; readonly flag: string },
  error: Error,
): ServiceError {
  // gRPC's error has no code: it wraps the system's by its message.
  const isTaken = /\bEADDRINUSE\b/.test(error.message);
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const message = isTaken
    ? `Port ${port} on ${host} is in use; choose another with ${flag}.`
    : `Cannot listen on ${address}: ${systemReason(error)}.`;
  return new ServiceError('failed_precondition', message, { cause: error });
}
