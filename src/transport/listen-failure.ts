import { ServiceError } from '../errors/service-error.ts';
import { systemReason } from '../errors/system-reason.ts';
import { hostPort } from '../network/host-port.ts';

/** Why a transport cannot listen, as `failed_precondition`, with the flag that chooses another port. */
export function listenFailure(
  { host, port, flag }: { readonly host: string; readonly port: number; readonly flag: string },
  error: Error,
): ServiceError {
  // gRPC's error has no code; its message contains the system's error.
  const isTaken = /\bEADDRINUSE\b/.test(error.message);
  const message = isTaken
    ? `Port ${port} on ${host} is in use; choose another with ${flag}.`
    : `Cannot listen on ${hostPort(host, port)}: ${systemReason(error)}.`;
  return new ServiceError('failed_precondition', message, { cause: error });
}
