import type { Size } from '../../src/recipes/plan.ts';
import type { Picture } from '../picture/picture.ts';
import { titleOf } from '../service/choice.ts';
import type { ComparisonOutcome } from '../arithmetic/comparison-outcome.ts';
import { type Panel, shownLayer } from '../state/panel.ts';
import { usePage } from '../state/page.ts';
import { useSelected } from '../state/use-selected.ts';
import { short } from './short.ts';
import { TokenPicture, Tokens } from './token-picture.tsx';

/** Two panels' tokens compared: figures, and a map of where they differ. */
export function ComparisonView() {
  const panels = useSelected((state) => state.panels);
  const comparison = useSelected((state) => state.comparison);
  const picture = useSelected((state) => state.picture);
  const { actions } = usePage();
  if (panels.length < 2) return null;
  const [a, b] = comparison.pair ?? [undefined, undefined];
  const choose = (place: 0 | 1, id: number): void => {
    const other = (place === 0 ? b : a) ?? panels.find((panel) => panel.id !== id)!.id;
    actions.compare({ pair: place === 0 ? [id, other] : [other, id] });
  };
  const panel = panels.find(({ id }) => id === a);
  return (
    <section class="comparison" aria-label="Comparison">
      <h2>Compare</h2>
      <div class="row">
        <PanelSelect label="A" panels={panels} value={a} onChange={(id) => choose(0, id)} />
        <PanelSelect label="B" panels={panels} value={b} onChange={(id) => choose(1, id)} />
        <label>
          Map
          <select
            value={comparison.shows}
            onChange={({ currentTarget: { value } }) =>
              actions.compare({ shows: value === 'difference' ? 'difference' : 'cosine' })
            }
          >
            <option value="cosine">1 - cosine</option>
            <option value="difference">mean |A - B|</option>
          </select>
        </label>
      </div>
      {comparison.outcome?.kind === 'impossible' && <p role="status">{comparison.outcome.reason}</p>}
      {comparison.outcome?.kind === 'compared' && panel !== undefined && picture?.size !== undefined && (
        <Compared outcome={comparison.outcome} panel={panel} picture={picture} size={picture.size} />
      )}
    </section>
  );
}

interface PanelSelectProps {
  readonly label: string;
  readonly panels: readonly Panel[];
  readonly value: number | undefined;
  readonly onChange: (id: number) => void;
}

function PanelSelect({ label, panels, value, onChange }: PanelSelectProps) {
  return (
    <label>
      {label}
      <select value={value ?? ''} onChange={({ currentTarget }) => onChange(Number(currentTarget.value))}>
        {value === undefined && <option value="">choose a panel</option>}
        {panels.map(({ id, choice, answer }, index) => (
          <option key={id} value={id}>
            {index + 1}: {titleOf(choice, answer?.metadata.model.name)}
          </option>
        ))}
      </select>
    </label>
  );
}

interface ComparedProps {
  readonly outcome: Extract<ComparisonOutcome, { kind: 'compared' }>;
  readonly panel: Panel;
  readonly picture: Picture;
  readonly size: Size;
}

function Compared({ outcome: { figures, paint, scale }, panel, picture, size }: ComparedProps) {
  const blend = useSelected((state) => state.look.blend);
  const layer = shownLayer(panel);
  const frame = { x: 0, y: 0, ...size };
  return (
    <div class="compared">
      <div>
        <div role="img" aria-label="Map of the differences">
          <TokenPicture frame={frame} picture={picture}>
            {layer !== undefined && <Tokens frame={frame} layer={layer} paint={paint} blend={blend} />}
          </TokenPicture>
        </div>
        <span class="scale">
          <span>{short(scale[0])}</span>
          <span class="bar" />
          <span>{short(scale[1])}</span>
        </span>
      </div>
      <div>
        <table>
          <tbody>
            <Figure name="tokens" value={figures.tokens.toLocaleString('en')} />
            <Figure name="mean cosine" value={downward(figures.meanCosine)} />
            <Figure name="1st percentile" value={downward(figures.percentile1)} />
            <Figure name="least cosine" value={downward(figures.leastCosine)} />
            <Figure name="mean |A - B|" value={short(figures.meanL1)} />
            <Figure name="largest |A - B|" value={short(figures.largestDifference)} />
          </tbody>
        </table>
        <p class="fine">
          Of tokens in float16. <code>siglip-hd compare</code> takes float32, so its last digits may differ.
        </p>
      </div>
    </div>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="number">{value}</td>
    </tr>
  );
}

/** Rounded down, so that only 1 reads as 1, as `siglip-hd compare` rounds cosines; float16 leaves no more digits. */
function downward(cosine: number): string {
  return (Math.floor(cosine * 1e5) / 1e5).toFixed(5);
}
