import { ServiceError } from '../../errors/service-error.ts';

/** The query with one value a name; throws invalid_argument for a name that comes twice. */
export function singleValues(query: unknown): Record<string, string> {
  for (const [name, value] of Object.entries(query as Record<string, string | string[]>)) {
    if (typeof value !== 'string') {
      throw new ServiceError(
        'invalid_argument',
        `${JSON.stringify(name.slice(0, 64))} is given more than once.`,
      );
    }
  }
  return query as Record<string, string>;
}
