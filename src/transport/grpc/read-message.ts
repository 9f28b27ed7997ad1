import { ServiceError } from '../../errors/service-error.ts';

/** Reads a message with `deserialize`. Throws its ServiceErrors on, and `invalid_argument` if the bytes are not `what`. */
export function readMessage<Message>(
  what: string,
  deserialize: (bytes: Buffer) => Message,
  bytes: Buffer,
): Message {
  try {
    return deserialize(bytes);
  } catch (thrown) {
    if (thrown instanceof ServiceError) throw thrown;
    throw new ServiceError('invalid_argument', `The message is not ${what}.`, { cause: thrown });
  }
}
