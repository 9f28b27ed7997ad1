// Copies packed RGB rows turned: a pixel is moved whole, so nothing is computed.

/**
 * Writes the pixels of `rows` rows of `width` at `source` to `target`, packed. Columns become rows if `swaps`. If `right`,
 * the upper left pixel comes to the right, and if `bottom`, to the bottom. Writes one byte beyond.
 */
export function turnRows(
  source: usize,
  target: usize,
  width: i32,
  rows: i32,
  swaps: bool,
  right: bool,
  bottom: bool,
): void {
  // Along the source's rows and columns, then the target's.
  const byColumn: isize = 3;
  const byRow: isize = <isize>width * 3;
  const turnedWidth = swaps ? rows : width;
  const turnedHeight = swaps ? width : rows;
  let across = swaps ? byRow : byColumn;
  let down = swaps ? byColumn : byRow;
  let start = <isize>source;
  if (right) {
    start += across * (turnedWidth - 1);
    across = -across;
  }
  if (bottom) {
    start += down * (turnedHeight - 1);
    down = -down;
  }
  for (let y = 0; y < turnedHeight; y++) {
    let from = start;
    for (let x = 0; x < turnedWidth; x++) {
      // The fourth byte is written again with the next pixel.
      store<u32>(target, load<u32>(<usize>from));
      from += across;
      target += 3;
    }
    start += down;
  }
}
