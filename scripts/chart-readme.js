// The chart's README: a handwritten page, then a table of the values, generated from the comments in values.yaml.

/**
 * Reads a values.yaml that has each value on one line and its comment in the line above, as a list of `{ section, name,
 * standard, comment }`, where name is as for --set. A line that only opens a map is no value. Throws for any other line.
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

/** The README that starts with this page. */
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
