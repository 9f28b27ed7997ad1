import { type Reading, type Setting, wrong } from './setting.ts';

const byteUnits = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

/** Reads a setting's text as its value, or as one of the values of a repeated setting. */
export function readSetting(setting: Setting, text: string): Reading<unknown> {
  switch (setting.type) {
    case 'integer':
    case 'milliseconds':
      return inRange(setting, text, /^\d{1,15}$/.test(text) ? Number(text) : undefined);
    case 'bytes':
      return inRange(setting, text, readBytes(text));
    case 'choice':
      if (setting.choices.includes(text)) return { ok: true, value: text };
      return wrong(`must be one of ${setting.choices.join(', ')}, not "${text}"`);
    case 'boolean':
      if (text === 'true' || text === 'false') return { ok: true, value: text === 'true' };
      return wrong(`must be true or false, not "${text}"`);
    case 'text':
    case 'optional':
    case 'repeated':
      break;
  }
  if (text === '') return wrong('must not be empty');
  return setting.read?.(text) ?? { ok: true, value: text };
}

/** The values that a setting takes, in brief; empty if its description tells. */
export function valueRange(setting: Setting): string {
  switch (setting.type) {
    case 'integer':
      return `${grouped(setting.min)} to ${grouped(setting.max)}`;
    case 'milliseconds':
      return `${grouped(setting.min)} to ${grouped(setting.max)} ms`;
    case 'bytes':
      return `${bytesText(setting.min)} to ${bytesText(setting.max)}`;
    case 'choice':
      return setting.choices.join(' | ');
    case 'boolean':
      return 'true | false';
    case 'text':
    case 'optional':
    case 'repeated':
      break;
  }
  return '';
}

function inRange(
  setting: Extract<Setting, { min: number }>,
  text: string,
  value: number | undefined,
): Reading<number> {
  if (value !== undefined && value >= setting.min && value <= setting.max) return { ok: true, value };
  const units = setting.type === 'bytes' ? ' in bytes, KiB, MiB or GiB' : '';
  return wrong(`must be ${valueRange(setting)}${units}, not "${text}"`);
}

function readBytes(text: string): number | undefined {
  const match = /^(\d{1,12})(KiB|MiB|GiB)?$/.exec(text);
  if (match === null) return undefined;
  const unit = match[2] as keyof typeof byteUnits | undefined;
  return Number(match[1]) * (unit === undefined ? 1 : byteUnits[unit]);
}

function bytesText(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB'] as const) {
    if (bytes >= byteUnits[unit] && bytes % byteUnits[unit] === 0) return `${bytes / byteUnits[unit]}${unit}`;
  }
  return String(bytes);
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
