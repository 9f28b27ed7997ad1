import type { JsonObject } from '../../json-object.ts';

/** Width of the language model that text_config describes; undefined where it leaves that out. */
export function textWidth(config: JsonObject): number | undefined {
  const text = config.has('text_config') ? config.object('text_config') : undefined;
  return text?.has('hidden_size') ? text.integer('hidden_size', { min: 1, max: 65_536 }) : undefined;
}
