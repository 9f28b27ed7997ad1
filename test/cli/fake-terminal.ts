import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import type { StopSignal, Terminal } from '../../src/cli/terminal.ts';

class Captured extends Writable {
  readonly fd = 2;
  readonly isTTY: boolean;
  text = '';

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** A terminal that keeps what is written, with signals to send and a clock that ticks 1 s at every look. */
export function fakeTerminal(isTTY = false) {
  const stdout = new Captured(isTTY);
  const stderr = new Captured(isTTY);
  const signals = new EventEmitter();
  let nowMs = 0;
  const terminal: Terminal = { stdout, stderr, signals, now: () => (nowMs += 1000), exitAtOnce() {} };
  return {
    terminal,
    stdout,
    stderr,
    interrupt: (signal: StopSignal = 'SIGINT') => signals.emit(signal, signal),
  };
}
