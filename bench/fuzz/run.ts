import { watchResident } from '../load/resident.ts';
import type { ServiceProcess } from '../service-process.ts';
import { type Corpus, fuzzCase } from './cases.ts';
import { type Ending, Sender } from './send.ts';

export interface FuzzFinding {
  readonly number: number;
  readonly what: string;
  readonly ending: Ending;
}

export interface FuzzReport {
  readonly cases: number;
  /** How many cases ended how. */
  readonly endings: Readonly<Record<string, number>>;
  readonly findings: readonly FuzzFinding[];
  readonly residentBytes: readonly number[];
}

/** Sent side by side: a fault of one may show in another. */
const lanes = 8;

/** gRPC's INTERNAL, UNKNOWN, UNAVAILABLE and DATA_LOSS: the service's own fault, as a 5xx is. */
const faults: ReadonlySet<string> = new Set(['grpc 2', 'grpc 13', 'grpc 14', 'grpc 15', 'hang']);

/** Deadlines that the caller asked for are no fault. */
function isFault(ending: Ending): boolean {
  if (ending === 'http 504') return false;
  return faults.has(ending) || ending.startsWith('http 5');
}

/** Sends cases `from` to `to` of the seed to a service, and says what it did wrong. Rejects when the service ends. */
export async function fuzz(
  service: ServiceProcess,
  corpus: Corpus,
  { seed, from, to }: { readonly seed: number; readonly from: number; readonly to: number },
  progress: (line: string) => void,
): Promise<FuzzReport> {
  const sender = new Sender(service.url, service.grpcAddress);
  const resident = watchResident(service.pid);
  const endings: Record<string, number> = {};
  const findings: FuzzFinding[] = [];
  let next = from;
  const lane = async (): Promise<void> => {
    for (let number = next++; number < to; number = next++) {
      const sent = fuzzCase(corpus, seed, number);
      const ending = await sender.send(sent);
      endings[ending] = (endings[ending] ?? 0) + 1;
      if (isFault(ending)) findings.push({ number, what: sent.what, ending });
      if (number % 1000 === 999) {
        if (!(await fetch(`${service.url}/healthz`)).ok)
          throw new Error('the service does not answer /healthz');
        progress(`${number + 1} cases`);
      }
      if (service.process.exitCode !== null || service.process.signalCode !== null) {
        throw new Error(`the service ended at about case ${number} of seed ${seed}`);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: lanes }, lane));
    return { cases: to - from, endings, findings, residentBytes: resident.bytes };
  } finally {
    resident.stop();
    sender.close();
  }
}
