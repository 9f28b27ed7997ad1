import { titleOf } from '../service/choice.ts';
import type { Panel } from '../state/panel.ts';
import { usePage } from '../state/page.ts';
import { useSelected } from '../state/use-selected.ts';
import { ChoiceForm } from './choice-form.tsx';
import { Cost } from './cost.tsx';
import { FailureNote } from './failure-note.tsx';
import { PlanFacts } from './plan-facts.tsx';
import { Requests } from './requests.tsx';
import { Stage } from './stage.tsx';

interface PanelViewProps {
  readonly panel: Panel;
  readonly number: number;
  readonly isOnly: boolean;
  /** Whether the panel shows its failure; one that all panels have is shown once, above them. */
  readonly isFailureShown: boolean;
}

/** One model and recipe: the picture with its plan and its tokens, and what they cost. */
export function PanelView({ panel, number, isOnly, isFailureShown }: PanelViewProps) {
  const picture = useSelected((state) => state.picture);
  const { actions } = usePage();
  const metadata = (panel.answer ?? panel.plan)?.metadata;
  const title = `Panel ${number}: ${titleOf(panel.choice, metadata?.model.name)}`;
  return (
    <article class="panel" aria-label={title}>
      <ChoiceForm panel={panel} number={number} isOnly={isOnly} />
      {picture?.size !== undefined && (
        <Stage panel={panel} picture={picture} size={picture.size} title={title} />
      )}
      {picture === undefined && <p class="fine">Choose an image to see its plan and its tokens.</p>}
      <p class="progress" role="status">
        {progressText[panel.progress]}
      </p>
      {panel.failure !== undefined && isFailureShown && (
        <FailureNote failure={panel.failure} onRetry={() => actions.retry(panel.id)} />
      )}
      {metadata !== undefined && <PlanFacts panel={panel} metadata={metadata} />}
      {panel.answer !== undefined && <Cost answer={panel.answer} />}
      {picture !== undefined && <Requests panel={panel} picture={picture} number={number} />}
    </article>
  );
}

const progressText: Record<Panel['progress'], string> = {
  idle: '',
  planning: 'Planning',
  encoding: 'Encoding',
  done: '',
  failed: '',
};
