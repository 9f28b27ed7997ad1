import type { EncodedMessage } from './gathered-message.ts';
import { RequestMessage } from './request-message.ts';

/** A method for grpc-js, which neither reads nor writes its messages: the methods report what fails there. */
export function methodDefinition(path: string, streams = false) {
  return {
    path,
    requestStream: streams,
    responseStream: streams,
    requestDeserialize: (bytes: Buffer) => new RequestMessage(bytes),
    // grpc-js only uses what a GatheredMessage and a Buffer have in common.
    responseSerialize: (message: EncodedMessage) => message as Buffer,
    requestSerialize: refuse,
    responseDeserialize: refuse,
  };
}

function refuse(): never {
  throw new Error('A server does not write requests or read responses.');
}
