import type { ServedModel } from '../service/models.ts';
import type { State } from './state.ts';

/** The served model of a name; the default for the empty name. */
export function modelOf({ service }: State, name: string): ServedModel | undefined {
  return service.models.find((model) => (name === '' ? model.default : model.name === name));
}
