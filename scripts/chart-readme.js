// The chart's README: a page by hand, then a table of the values, made of the comments in values.yaml.

/**
 * The values in a values.yaml in which each is one line, with its comment in the line above: `{ section, name, standard,
 * comment }`, name as --set has it. A line that only opens a map is none; what breaks the rules is thrown.
 */
export function readValues(yaml) {
  const values = [];
  const path = [];
  let section = '';
  let comment = '';
  for (const [index, line] of yaml.split('\n').entries()) {
    const heading = /^# == (.+) ==$/.exec(line);
    const remark = /^ *# (.+)$/.exec(line);
    const entry = /^( *)([A-Za-z]+):(?: (.+))?$/.exec(line);
    if (heading !== null) [, section] = heading;
    else if (remark !== null) [, comment] = remark;
    else if (line === '') comment = '';
    else if (entry === null) throw new Error(`line ${index + 1} is neither a comment nor a value: ${line}`);
    else {
      const [, indent, key, standard] = entry;
      path.splice(indent.length / 2, path.length, key);
      const name = path.join('.');
      if (standard !== undefined) {
        if (comment === '') throw new Error(`${name} has no comment`);
        values.push({ section, name, standard, comment });
      }
      comment = '';
    }
  }
  return values;
}

/** The README, given the page that it starts with. */
export function chartReadme(page, yaml) {
  const lines = [page.trimEnd(), '', '## Values'];
  let section;
  for (const value of readValues(yaml)) {
    if (value.section !== section) {
      ({ section } = value);
      lines.push('', `### ${section}`, '', '| value | default | |', '| --- | --- | --- |');
    }
    const cells = [`\`${value.name}\``, `\`${value.standard}\``, value.comment];
    lines.push(`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
  }
  return `${lines.join('\n')}\n`;
}
