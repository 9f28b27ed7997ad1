import { useEffect, useState } from 'preact/hooks';
import type { Picture } from '../picture/picture.ts';
import { type SnippetKind, snippetKinds, snippetOf } from '../service/snippets.ts';
import { modelOf } from '../state/served-model.ts';
import type { Panel } from '../state/panel.ts';
import { usePage } from '../state/page.ts';
import { useSelected } from '../state/use-selected.ts';

interface RequestsProps {
  readonly panel: Panel;
  readonly picture: Picture;
  readonly number: number;
}

/** As the service wrote it into the page; undefined where it did not listen yet. */
const grpcPort =
  Number(document.querySelector<HTMLMetaElement>('meta[name="grpc-port"]')?.content) || undefined;

/** The panel's request as curl, Python, gRPC and a part for vLLM, ready to copy. */
export function Requests({ panel, picture, number }: RequestsProps) {
  const { service } = usePage();
  const { options } = useSelected((state) => state.service);
  const model = useSelected((state) => modelOf(state, panel.choice.model));
  const [kind, setKind] = useState<SnippetKind>('curl');
  const { code, notes } = snippetOf(kind, {
    choice: panel.choice,
    base: service.base,
    grpcPort,
    file: picture.name,
    sampleUrl: picture.sampleUrl,
    hasKey: service.hasKey,
    options,
    hasProjector: model?.projector !== undefined,
  });
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
      {code !== undefined && (
        <Code id={`request-${panel.id}`} label={`Request of panel ${number} as ${kind}`} code={code} />
      )}
      {code !== undefined && picture.sampleUrl === undefined && <FileNote picture={picture} />}
      {notes.map((note) => (
        <p key={note} class="fine">
          {note}
        </p>
      ))}
    </details>
  );
}

function Code({ id, label, code }: { id: string; label: string; code: string }) {
  const [done, setDone] = useState<{ readonly code: string; readonly says: string }>();
  const copy = (): void => {
    // Browsers have no clipboard on a page of plain HTTP from another machine.
    const writing = navigator.clipboard?.writeText(code) ?? Promise.reject(new Error('no clipboard'));
    writing.then(
      () => setDone({ code, says: 'Copied' }),
      () => {
        getSelection()?.selectAllChildren(document.getElementById(id)!);
        setDone({ code, says: 'Selected: copy it with the keyboard' });
      },
    );
  };
  return (
    <>
      <pre id={id} tabIndex={0} aria-label={label}>
        {code}
      </pre>
      <button type="button" onClick={copy}>
        Copy
      </button>{' '}
      <span role="status">{done?.code === code && done.says}</span>
    </>
  );
}

/** Where the code expects the user's own picture; one that was pasted may be nowhere yet. */
function FileNote({ picture: { name, file } }: { picture: Picture }) {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return (
    <p class="fine">
      It reads {name} in the folder where it runs.{' '}
      {url !== undefined && (
        <a href={url} download={name}>
          Save the file
        </a>
      )}
    </p>
  );
}
