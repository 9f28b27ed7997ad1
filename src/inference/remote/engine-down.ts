import { ServiceError } from '../../errors/service-error.ts';

const subject = 'The remote engine ';

/**
 * A remote engine does not work. `reason` is a phrase that any caller may read, such as "cannot be reached: connection
 * refused". `cause` is for the log, with the server's own words.
 */
export function engineDown(reason: string, cause: Error = new Error(reason)): ServiceError {
  return new ServiceError('unavailable', `${subject}${reason}.`, { cause });
}

/** The phrase of such a failure. */
export function reasonOf({ message }: ServiceError): string {
  return message.slice(subject.length, -1);
}
