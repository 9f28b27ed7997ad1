import { MessageChannel } from 'node:worker_threads';

/** Nobody listens: what is transferred to it is freed. */
const { port1: nowhere, port2 } = new MessageChannel();
port2.close();

/** Frees buffers now, rather than when they are collected: garbage of this size makes V8 collect all of it often. */
export function discard(buffers: readonly Uint8Array<ArrayBuffer>[]): void {
  nowhere.postMessage(
    undefined,
    buffers.map(({ buffer }) => buffer),
  );
}
