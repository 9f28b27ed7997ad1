import type { Failure } from '../service/failure.ts';
import type { Panel } from '../state/panel.ts';
import { usePage } from '../state/page.ts';
import { useSelected } from '../state/use-selected.ts';
import { FailureNote } from './failure-note.tsx';
import { PanelView } from './panel-view.tsx';

/** The panels, side by side where there is room. */
export function PanelList() {
  const panels = useSelected((state) => state.panels);
  const contact = useSelected(({ service }) => service.contact);
  const failure = useSelected(({ service }) => service.failure);
  const { actions, watching } = usePage();
  const lock = failure?.code === 'unauthenticated' && (
    <FailureNote failure={failure} onRetry={() => void watching.unlock()} retryLabel="Enter a key" />
  );
  if (panels.length === 0) {
    if (lock !== false) return lock;
    if (failure !== undefined) return <FailureNote failure={failure} />;
    return <p role="status">{waiting[contact]}</p>;
  }
  const shared = sharedFailure(panels);
  const add = (): void => actions.addPanel(panels.at(-1)!.choice);
  return (
    <section aria-label="Panels">
      {lock}
      {shared !== undefined && <FailureNote failure={shared} onRetry={() => actions.retryFailed()} />}
      <div class="panels">
        {panels.map((panel, index) => (
          <PanelView
            key={panel.id}
            panel={panel}
            number={index + 1}
            isOnly={panels.length === 1}
            isFailureShown={shared === undefined}
          />
        ))}
      </div>
      <button type="button" onClick={add}>
        Add a panel
      </button>
    </section>
  );
}

/** The failure of all panels that have ended, if at least two have and it is the same in every one. */
function sharedFailure(panels: readonly Panel[]): Failure | undefined {
  const ended = panels.filter(({ progress }) => progress === 'done' || progress === 'failed');
  const failure = ended[0]?.failure;
  if (ended.length < 2 || failure === undefined) return undefined;
  const isSame = ({ failure: other }: Panel): boolean =>
    other?.title === failure.title && other.detail === failure.detail && other.code === failure.code;
  return ended.every(isSame) ? failure : undefined;
}

const waiting = {
  connecting: 'Asking the service for its models.',
  ready: 'The service lists no models.',
  locked: 'The service wants an API key.',
  'not ready': 'The service is not ready: its models are loading, or it is about to stop.',
  gone: 'The service does not answer. The page tries again by itself.',
} as const;
