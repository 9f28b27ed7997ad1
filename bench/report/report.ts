import { isMet, type Section, type SectionResult, type Verdict } from './section.ts';
import { tableRecords, tableText } from './table.ts';

/** What a section found, for people. */
export function resultText({ tables, verdicts, notes, skipped }: SectionResult): string {
  const paragraphs = [
    ...(skipped === undefined ? [] : [`SKIPPED: ${skipped}`]),
    ...tables.map(tableText),
    ...(verdicts.length === 0 ? [] : [verdicts.map(verdictText).join('\n')]),
    ...notes,
  ];
  return paragraphs.map((paragraph) => `${paragraph}\n`).join('\n');
}

function verdictText(verdict: Verdict): string {
  const { what, value, limit, bar } = verdict;
  return `${isMet(verdict) ? 'met   ' : 'MISSED'}  ${what}: ${value.toFixed(3)}, ${limit} ${bar}`;
}

/** What a section found, for machines. */
export function resultJson(
  { title }: Pick<Section, 'title'>,
  { tables, verdicts, notes, skipped }: SectionResult,
): object {
  return {
    title,
    ...(skipped === undefined ? {} : { skipped }),
    tables: tables.map((table) => ({ title: table.title, rows: tableRecords(table) })),
    verdicts: verdicts.map((verdict) => ({ ...verdict, met: isMet(verdict) })),
    notes,
  };
}
