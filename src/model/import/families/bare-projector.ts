import type { FeatureLayer } from '../../model.ts';
import { unwrapped } from '../tower-names.ts';
import type { ProjectorRecipe } from './family.ts';

/** Modules of LLaVA's projectors, first of the original layout and then of llava-hf's. */
const layouts = [
  { family: 'llava-original', module: /(?:^|\.)(mm_projector(?:\.\d+)?)\.weight$/ },
  { family: 'llava', module: /(?:^|\.)(multi_modal_projector\.linear_\d)\.weight$/ },
] as const;

/**
 * The recipe of a projector without a configuration, by the names of its tensors: LLaVA's matrix products with gelu
 * between them. Undefined for other names.
 */
export function bareRecipe(
  names: Iterable<string>,
  features: FeatureLayer,
): { readonly family: string; readonly recipe: ProjectorRecipe } | undefined {
  const all = [...names].map(unwrapped);
  for (const { family, module } of layouts) {
    const modules = [...new Set(all.flatMap((name) => module.exec(name)?.[1] ?? []))].toSorted(byIndex);
    if (modules.length === 0) continue;
    const hasBias = all.some((name) => name.endsWith(`${modules[0]}.bias`));
    const linears = modules.map((name) => ({
      weight: `${name}.weight`,
      bias: hasBias ? `${name}.bias` : undefined,
    }));
    const hasNewline = all.some((name) => /(?:^|\.)image_newline$/.test(name));
    return { family, recipe: { features, linears, ...(hasNewline ? { newline: 'image_newline' } : {}) } };
  }
  return undefined;
}

function byIndex(a: string, b: string): number {
  return Number(/\d*$/.exec(a)?.[0]) - Number(/\d*$/.exec(b)?.[0]);
}
