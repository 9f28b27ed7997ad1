import type { Table } from './table.ts';

/** A figure that has a bar to meet. */
export interface Verdict {
  readonly what: string;
  readonly value: number;
  readonly limit: 'at least' | 'at most';
  readonly bar: number;
}

/** What a section found. `skipped` says why there is nothing, and what to do about it. */
export interface SectionResult {
  readonly tables: readonly Table[];
  readonly verdicts: readonly Verdict[];
  /** What a reader must know to read the tables. */
  readonly notes: readonly string[];
  readonly skipped?: string;
}

/** One part of the benchmark. `progress` tells a person at a terminal what is going on. */
export interface Section {
  readonly title: string;
  run(progress: (line: string) => void): Promise<SectionResult>;
}

export function isMet({ value, limit, bar }: Verdict): boolean {
  return limit === 'at least' ? value >= bar : value <= bar;
}
