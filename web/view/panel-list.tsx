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
  const add = (): void => actions.addPanel(panels.at(-1)!.choice);
  return (
    <section aria-label="Panels">
      {lock}
      <div class="panels">
        {panels.map((panel, index) => (
          <PanelView key={panel.id} panel={panel} number={index + 1} isOnly={panels.length === 1} />
        ))}
      </div>
      <button type="button" onClick={add}>
        Add a panel
      </button>
    </section>
  );
}

const waiting = {
  connecting: 'Asking the service for its models.',
  ready: 'The service lists no models.',
  locked: 'The service wants an API key.',
  'not ready': 'The service is not ready: its models are loading, or it is about to stop.',
  gone: 'The service does not answer. The page tries again by itself.',
} as const;
