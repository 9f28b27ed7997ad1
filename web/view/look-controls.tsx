import { usePage } from '../state/page.ts';
import { type Coloring, colourings } from '../state/state.ts';
import { useSelected } from '../state/use-selected.ts';
import { FailureNote } from './failure-note.tsx';
import { short } from './short.ts';

const names: Record<Coloring, string> = {
  components: 'Components',
  norms: 'Norms',
  similarity: 'Similarity',
};

const explanations: Record<Coloring, string> = {
  components:
    'Three principal components as red, green and blue, fitted to all panels of the same width: equal colours are alike in every panel.',
  norms: 'The length of each token, on one scale for all panels. Outlier tokens stand out.',
  similarity:
    'The cosine to the patch under the pointer, in every panel at once. Click picks a patch, Shift+click picks one to differ from.',
};

const picksExplanation =
  'The mean cosine to the picked patches, less that to the ones to differ from. Clear the picks to follow the pointer again.';

/** How the tokens are coloured, over all panels. */
export function LookControls() {
  const shown = useSelected((state) => state.look.coloring);
  const blend = useSelected((state) => state.look.blend);
  const showsPlan = useSelected((state) => state.look.showsPlan);
  const hasPicks = useSelected((state) => state.look.picks.length > 0);
  const failure = useSelected((state) => state.paintFailure);
  const { actions } = usePage();
  return (
    <section class="look" aria-label="Colours">
      <fieldset class="choices">
        <legend>Colour by</legend>
        {colourings.map((coloring) => (
          <label key={coloring}>
            <input
              type="radio"
              name="coloring"
              checked={shown === coloring}
              onChange={() => actions.look({ coloring })}
            />
            {names[coloring]}
          </label>
        ))}
      </fieldset>
      <label class="slide">
        Blend
        <input
          type="range"
          min="0"
          max="1"
          step="0.01"
          value={blend}
          aria-valuetext={`${Math.round(blend * 100)} % tokens`}
          onInput={({ currentTarget }) => actions.look({ blend: Number(currentTarget.value) })}
        />
      </label>
      <label class="tick">
        <input
          type="checkbox"
          checked={showsPlan}
          onChange={({ currentTarget }) => actions.look({ showsPlan: currentTarget.checked })}
        />
        Plan
      </label>
      {shown === 'similarity' && <Picks />}
      {shown !== 'components' && <Scale />}
      <p class="fine">{hasPicks && shown === 'similarity' ? picksExplanation : explanations[shown]}</p>
      {failure !== undefined && <FailureNote failure={failure} />}
    </section>
  );
}

/** The threshold, and how many patches are picked. */
function Picks() {
  const picks = useSelected((state) => state.look.picks);
  const picksToDiffer = useSelected((state) => state.look.picksToDiffer);
  const threshold = useSelected((state) => state.look.threshold);
  const { actions } = usePage();
  const [least, most] = useSelected((state) => state.scale) ?? [-1, 1];
  const positive = picks.filter(({ isPositive }) => isPositive).length;
  return (
    <>
      <label class="slide">
        Threshold
        <input
          type="range"
          min={least}
          max={most}
          step="any"
          value={threshold ?? least}
          onInput={({ currentTarget: { valueAsNumber: value } }) =>
            actions.look({ threshold: value <= least ? undefined : value })
          }
        />
        <output>{threshold === undefined ? 'none' : threshold.toFixed(2)}</output>
      </label>
      <label>
        <input
          type="checkbox"
          checked={picksToDiffer}
          onChange={({ currentTarget }) => actions.look({ picksToDiffer: currentTarget.checked })}
        />
        Pick to differ from
      </label>
      <span class="fine">
        {positive} picked, {picks.length - positive} to differ from
      </span>
      <button type="button" disabled={picks.length === 0} onClick={() => actions.clearPicks()}>
        Clear picks
      </button>
    </>
  );
}

/** What the colours of values stand for. */
function Scale() {
  const scale = useSelected((state) => state.scale);
  return (
    <span class="scale" role="img" aria-label={scale === undefined ? 'No scale' : scaleLabel(scale)}>
      <span>{scale === undefined ? '' : short(scale[0])}</span>
      <span class="bar" />
      <span>{scale === undefined ? '' : short(scale[1])}</span>
    </span>
  );
}

function scaleLabel([least, most]: readonly [number, number]): string {
  return `From ${short(least)}, black, to ${short(most)}, pale yellow`;
}
