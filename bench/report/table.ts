/** A column; numbers in it are shown with `digits` after the point, 0 when absent. */
export interface Column {
  readonly title: string;
  readonly digits?: number;
}

/** A cell without a value was not measured. */
export type Cell = string | number | undefined;

export interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

/** The table as text in columns: words to the left, numbers to the right. */
export function tableText({ title, columns, rows }: Table): string {
  const texts = rows.map((row) => columns.map((column, index) => cellText(row[index], column)));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...texts.map((row) => row[index]!.length)),
  );
  const isNumeric = columns.map((_, index) => rows.some((row) => typeof row[index] === 'number'));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => (isNumeric[index] ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!)))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [title, line(columns.map((column) => column.title)), rule, ...texts.map(line)].join('\n');
}

/** The rows as objects by column title, with unrounded numbers. */
export function tableRecords({ columns, rows }: Table): Record<string, Cell>[] {
  return rows.map((row) => Object.fromEntries(columns.map(({ title }, index) => [title, row[index]])));
}

function cellText(cell: Cell, { digits = 0 }: Column): string {
  if (cell === undefined) return '-';
  if (typeof cell === 'string') return cell;
  return cell.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
