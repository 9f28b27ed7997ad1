import { useEffect, useRef, useState } from 'preact/hooks';
import { usePage } from '../state/page.ts';
import { useSelected } from '../state/use-selected.ts';

/** Asks for an API key when the service wants one. */
export function KeyDialog() {
  const refusal = useSelected(({ keyAsked }) => keyAsked);
  const { keys } = usePage();
  const dialog = useRef<HTMLDialogElement>(null);
  const [key, setKey] = useState('');
  useEffect(() => {
    if (refusal === undefined) dialog.current?.close();
    else dialog.current?.showModal();
  }, [refusal]);
  const give = (event: Event): void => {
    event.preventDefault();
    setKey('');
    keys.give(key.trim());
  };
  const cancel = (event: Event): void => {
    event.preventDefault();
    keys.give(undefined);
  };
  return (
    <dialog ref={dialog} aria-labelledby="key-title" onCancel={cancel}>
      <form onSubmit={give}>
        <h2 id="key-title">API key</h2>
        <p>{refusal}</p>
        <label>
          Key
          <input
            type="password"
            autocomplete="off"
            required
            value={key}
            onInput={({ currentTarget }) => setKey(currentTarget.value)}
          />
        </label>
        <p class="fine">The page keeps the key in memory until it is closed or reloaded.</p>
        <p class="buttons">
          <button type="submit">Use this key</button>
          <button type="button" onClick={cancel}>
            Cancel
          </button>
        </p>
      </form>
    </dialog>
  );
}
