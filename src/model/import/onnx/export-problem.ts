/** Why an export cannot be imported: the end of a sentence that begins with the file's name. */
export class ExportProblem extends Error {
  override readonly name = 'ExportProblem';
}
