import { setTimeout as delay } from 'node:timers/promises';
import { residentBytes } from '../load/resident.ts';
import type { ServiceProcess } from '../processes/service-process.ts';
import type { Answer } from './answer.ts';
import type { Corpus, FuzzCase } from './case.ts';
import { fuzzCase } from './cases.ts';
import { type FuzzFinding, writeCase } from './findings.ts';
import { Pulse } from './pulse.ts';
import { GrpcSender } from './send-grpc.ts';
import { HttpSender } from './send-http.ts';
import { HeldConnections, sendRaw } from './send-raw.ts';
import { ServiceLog } from './service-log.ts';
import { faultOf } from './verdict.ts';

export interface FuzzReport {
  readonly cases: number;
  readonly seconds: number;
  /** How many cases ended how. */
  readonly endings: Readonly<Record<string, number>>;
  readonly findings: readonly FuzzFinding[];
  /** The cases that took longest. */
  readonly slowest: readonly { readonly number: number; readonly what: string; readonly ms: number }[];
  /** The service's, after each block of cases, when it has nothing to do. */
  readonly residentBytes: readonly number[];
}

export interface FuzzRange {
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** Where the inputs of findings are written. */
  readonly folder: string;
  /** Whether to wait at the end for the service to close connections that are half closed: its keepalive, 80 s. */
  readonly isPatient: boolean;
}

/** Sent side by side: a fault of one may show in another. */
const lanes = 4;
/** Cases between two looks at the service. */
const blockCases = 200;
const kept = 8;

/** A process that has crashed refuses connections a while before its end is heard of. */
function isGone({ wrong }: Answer): boolean {
  return wrong?.includes('ECONNREFUSED') === true;
}

/**
 * Sends cases `from` to `to` of the seed to a service, and says what it did wrong. Stops early when the service ends.
 */
export async function fuzz(
  service: ServiceProcess,
  corpus: Corpus,
  { seed, from, to, folder, isPatient }: FuzzRange,
  progress: (line: string) => void,
): Promise<FuzzReport> {
  const startedMs = performance.now();
  const http = new HttpSender(service.url);
  const grpc = new GrpcSender(service.grpcAddress);
  const log = new ServiceLog(service.logFile);
  const pulse = new Pulse(service, corpus.images['photograph']!);
  const held = new HeldConnections();
  const endings: Record<string, number> = {};
  const findings: FuzzFinding[] = [];
  const resident: number[] = [];
  let slowest: FuzzReport['slowest'] = [];
  const send = (sent: FuzzCase): Promise<Answer> => {
    if (sent.kind === 'http') return http.send(sent);
    if (sent.kind === 'grpc') return grpc.send(sent);
    if (sent.kind === 'frames') return grpc.sendFrames(sent);
    const address = sent.port === 'http' ? new URL(service.url).host : service.grpcAddress;
    return sendRaw(sent, Number(address.split(':')[1]), held);
  };
  const find = async (number: number | undefined, fault: string): Promise<void> => {
    const sent = number === undefined ? undefined : fuzzCase(corpus, seed, number);
    const what = sent?.what ?? 'one of several';
    findings.push({ number, what, fault });
    const file = sent === undefined ? '' : ` (${await writeCase(folder, seed, sent)})`;
    progress(`FOUND ${number ?? ''} ${what}: ${fault}${file}`);
  };
  const hasEnded = (): boolean => service.process.exitCode !== null || service.process.signalCode !== null;

  /** Sends a block; gives the cases that the service had when it ended, if it did. */
  const sendBlock = async (first: number, end: number): Promise<number[]> => {
    let next = first;
    const underWay = new Set<number>();
    const atTheEnd = new Set<number>();
    const onEnd = (): void => {
      for (const number of underWay) atTheEnd.add(number);
    };
    service.process.once('exit', onEnd);
    const lane = async (): Promise<void> => {
      for (let number = next++; number < end && !hasEnded(); number = next++) {
        const sent = fuzzCase(corpus, seed, number);
        underWay.add(number);
        const answer = await send(sent);
        // Those that failed because the service ended had been under way then: its exit is heard of a little later.
        if (answer.ending === 'closed') await delay(isGone(answer) ? 500 : 5);
        underWay.delete(number);
        if (hasEnded()) {
          atTheEnd.add(number);
          return;
        }
        endings[answer.ending] = (endings[answer.ending] ?? 0) + 1;
        slowest = [...slowest, { number, what: sent.what, ms: answer.ms }]
          .toSorted((a, b) => b.ms - a.ms)
          .slice(0, kept);
        const fault = faultOf(sent, answer);
        if (fault !== undefined) await find(number, fault);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    service.process.off('exit', onEnd);
    return [...atTheEnd];
  };

  let done = 0;
  try {
    const before = await pulse.fault();
    if (before !== undefined) throw new Error(`before the first case: ${before}`);
    for (let first = from; first < to; first += blockCases) {
      const end = Math.min(to, first + blockCases);
      const atTheEnd = await sendBlock(first, end);
      for (const { line, number } of await log.faults()) await find(number, `it says ${line.slice(0, 600)}`);
      if (hasEnded()) {
        const { exitCode, signalCode } = service.process;
        for (const number of atTheEnd)
          await find(number, `the service ended with ${signalCode ?? exitCode} meanwhile`);
        if (atTheEnd.length === 0) await find(undefined, `the service ended with ${signalCode ?? exitCode}`);
        break;
      }
      const fault = await pulse.fault();
      if (fault !== undefined) await find(undefined, `after case ${end - 1}, ${fault}`);
      const bytes = await residentBytes(service.pid);
      if (bytes !== undefined) resident.push(bytes);
      done = end - from;
      if (done % 1000 === 0) progress(`${done} cases, ${Math.round((bytes ?? 0) / 2 ** 20)} MiB`);
    }
    if (isPatient && !hasEnded()) {
      for (const number of await held.left()) await find(number, 'its connection is never closed');
    }
    const seconds = (performance.now() - startedMs) / 1000;
    return { cases: done, seconds, endings, findings, slowest, residentBytes: resident };
  } finally {
    held.close();
    http.close();
    grpc.close();
    pulse.close();
  }
}
