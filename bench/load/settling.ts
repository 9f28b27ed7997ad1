/**
 * How many requests a server answers before it is measured, so that V8 has compiled what they use. In two parts: the first
 * connections that close undo the optimised code of some 40 functions of Node's HTTP and streams, and the second part has them
 * compiled again.
 */
export type Settling = readonly [first: number, second: number];

/** The sum of both parts, for a report. */
export function totalOf([first, second]: Settling): string {
  return (first + second).toLocaleString('en');
}
