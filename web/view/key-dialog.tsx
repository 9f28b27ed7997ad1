import { useEffect, useRef, useState } from 'preact/hooks';
import { usePage } from '../state/page.ts';
import { useSelected } from '../state/use-selected.ts';

/** What a header can carry: visible ASCII characters. */
const keyPattern = /^[!-~]+$/;

/** Asks for an API key when the service wants one. */
export function KeyDialog() {
  const refusal = useSelected(({ keyAsked }) => keyAsked);
  const { keys } = usePage();
  const dialog = useRef<HTMLDialogElement>(null);
  const [key, setKey] = useState('');
  const [isWrong, setWrong] = useState(false);
  useEffect(() => {
    if (refusal === undefined) dialog.current?.close();
    else dialog.current?.showModal();
  }, [refusal]);
  const close = (given: string | undefined): void => {
    setKey('');
    setWrong(false);
    keys.give(given);
  };
  const give = (event: Event): void => {
    event.preventDefault();
    const given = key.trim();
    if (!keyPattern.test(given)) {
      setWrong(true);
      return;
    }
    close(given);
  };
  const cancel = (event: Event): void => {
    event.preventDefault();
    close(undefined);
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
            aria-invalid={isWrong}
            aria-describedby={isWrong ? 'key-wrong' : undefined}
            onInput={({ currentTarget }) => setKey(currentTarget.value)}
          />
        </label>
        {isWrong && (
          <p id="key-wrong" class="wrong" role="alert">
            A key has only letters, digits and signs of ASCII, without spaces. Check what you have pasted.
          </p>
        )}
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
