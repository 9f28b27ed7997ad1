import type { Table } from '../../report/table.ts';
import { median } from '../../report/statistics.ts';

const mib = 2 ** 20;
/** Looks that a figure is the median of, so that one that falls on a collection of garbage does not tell. */
const looks = 5;

export interface Resident {
  readonly name: string;
  /** A look a second. */
  readonly bytes: readonly number[];
}

/** Resident memory at start, middle and end, and its peak. */
export function residentTable(watched: readonly Resident[]): Table {
  return {
    title: 'Resident memory of the service, MiB',
    columns: [{ title: 'of' }, ...['start', 'middle', 'end', 'peak'].map((title) => ({ title, digits: 1 }))],
    rows: watched.map(({ name, bytes }) => {
      const middle = bytes.length >> 1;
      const parts = [bytes.slice(0, 1), bytes.slice(middle - 2, middle + 3), bytes.slice(-looks)];
      const figures = [...parts.map(median), Math.max(...bytes)];
      return [name, ...(bytes.length === 0 ? [] : figures.map((size) => size / mib))];
    }),
  };
}

/** The second half's mean over the first's; NaN of fewer than two looks. */
export function secondHalfRatio(bytes: readonly number[]): number {
  const half = bytes.length >> 1;
  return mean(bytes.slice(-half)) / mean(bytes.slice(0, half));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
