/** Three digits of a number. */
export function short(value: number): string {
  return Number(value.toPrecision(3)).toString();
}
