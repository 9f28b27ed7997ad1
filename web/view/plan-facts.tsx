import { planRects } from '../geometry/plan-rects.ts';
import type { Metadata } from '../service/metadata.ts';
import { modelOf } from '../state/served-model.ts';
import type { Panel } from '../state/panel.ts';
import { usePage } from '../state/page.ts';
import { useSelected } from '../state/use-selected.ts';

/** What a plan or an answer says, in numbers; and which tokens are shown. */
export function PlanFacts({ panel, metadata }: { panel: Panel; metadata: Metadata }) {
  const { actions } = usePage();
  const size = useSelected(({ picture }) => picture?.size);
  const model = useSelected((state) => modelOf(state, metadata.model.name));
  const { shape, views, grid, teacher } = metadata;
  const tokens = shape.slice(0, -1).reduce((product, side) => product * side, 1);
  const rects = model === undefined || size === undefined ? [] : planRects(metadata, model, size);
  const groups = new Map<string, number>();
  for (const { kind, group } of rects) if (kind === 'view') groups.set(group, (groups.get(group) ?? 0) + 1);
  return (
    <dl class="facts">
      <dt>Tokens</dt>
      <dd>
        {metadata.output === 'pooled'
          ? `one vector of ${shape[0]} values for the image`
          : `${tokens.toLocaleString('en')} of ${shape.at(-1)} channels; grid ${grid.width} x ${grid.height}`}
        {metadata.class_token && ', after the class token'}
        {metadata.anyres !== undefined &&
          `, tiles ${metadata.anyres.spatial.width} x ${metadata.anyres.spatial.height}`}
      </dd>
      <dt>Views</dt>
      <dd>
        <ViewCounts views={views} groups={groups} />
      </dd>
      <dt>Model</dt>
      <dd title={metadata.model.digest}>
        {metadata.model.name}, {metadata.features}, {metadata.precision}
        {!metadata.model.trained && ', random weights'}
        {teacher !== undefined && teacher.models.some(({ name }) => name !== metadata.model.name)
          ? `; scales by ${teacher.models.map(({ name }) => name).join(', ')}`
          : ''}
      </dd>
      {panel.answer !== undefined && panel.answer.layers.length > 1 && (
        <>
          <dt>Show</dt>
          <dd>
            {panel.answer.layers.map(({ name }, index, { length }) => (
              <label key={name}>
                <input
                  type="radio"
                  name={`layer-${panel.id}`}
                  checked={Math.min(panel.layer, length - 1) === index}
                  onChange={() => actions.showLayer(panel.id, index)}
                />
                {name}
              </label>
            ))}
          </dd>
        </>
      )}
    </dl>
  );
}

/** As `5: 1 at 512 px, 4 at 1024 px` or `3: 1 base view, 2 tiles (2 x 1)`, each with the colour of its outlines. */
function ViewCounts({ views, groups }: { views: number; groups: ReadonlyMap<string, number> }) {
  if (groups.size === 0) return <>{views}</>;
  return (
    <>
      {views > 1 && `${views}: `}
      {[...groups].map(([name, count], index) => (
        <span key={name}>
          {index > 0 && ', '}
          <span class={`swatch group-${index}`} aria-hidden="true" />
          {count} {name.endsWith(' px') && 'at '}
          {name}
        </span>
      ))}
    </>
  );
}
