import { useState } from 'preact/hooks';
import { type SnippetKind, snippetKinds, snippetOf } from '../service/snippets.ts';
import { modelOf } from '../state/served-model.ts';
import type { Panel } from '../state/panel.ts';
import { usePage } from '../state/page.ts';
import { useSelected } from '../state/use-selected.ts';

interface RequestsProps {
  readonly panel: Panel;
  readonly pictureName: string;
  readonly number: number;
}

/** As the service wrote it into the page; undefined where it did not listen yet. */
const grpcPort =
  Number(document.querySelector<HTMLMetaElement>('meta[name="grpc-port"]')?.content) || undefined;

/** The panel's request as curl, Python, gRPC and a part for vLLM, ready to copy. */
export function Requests({ panel, pictureName, number }: RequestsProps) {
  const { service } = usePage();
  const { options } = useSelected((state) => state.service);
  const model = useSelected((state) => modelOf(state, panel.choice.model));
  const [kind, setKind] = useState<SnippetKind>('curl');
  const [copied, setCopied] = useState<string>();
  const text = snippetOf(kind, {
    choice: panel.choice,
    base: service.base,
    grpcPort,
    file: pictureName,
    hasKey: service.hasKey,
    options,
    hasProjector: model?.projector !== undefined,
  });
  const copy = (): void => {
    // Browsers have no clipboard on a page of plain HTTP from another machine.
    const writing = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error('no clipboard'));
    writing.then(
      () => setCopied(text),
      () => getSelection()?.selectAllChildren(document.getElementById(`request-${panel.id}`)!),
    );
  };
  return (
    <details class="requests">
      <summary>Request</summary>
      <fieldset class="choices">
        <legend>Request as</legend>
        {snippetKinds.map((one) => (
          <label key={one}>
            <input
              type="radio"
              name={`snippet-${panel.id}`}
              checked={kind === one}
              onChange={() => setKind(one)}
            />
            {one}
          </label>
        ))}
      </fieldset>
      <pre id={`request-${panel.id}`} tabIndex={0} aria-label={`Request of panel ${number} as ${kind}`}>
        {text}
      </pre>
      <button type="button" onClick={copy}>
        Copy
      </button>{' '}
      <span role="status">{copied === text && 'Copied'}</span>
    </details>
  );
}
