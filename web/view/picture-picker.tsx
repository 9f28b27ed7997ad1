import { useEffect, useState } from 'preact/hooks';
import { samples } from '../picture/samples.ts';
import { usePage } from '../state/page.ts';
import { useSelected } from '../state/use-selected.ts';
import { FailureNote } from './failure-note.tsx';

/** Takes a picture: a file that is chosen, dropped anywhere or pasted, or a sample. */
export function PicturePicker() {
  const picture = useSelected((state) => state.picture);
  const failure = useSelected((state) => state.pictureFailure);
  const { actions } = usePage();
  const isOver = useDropsAndPastes();
  const choose = (input: HTMLInputElement): void => {
    const [file] = input.files ?? [];
    if (file !== undefined) void actions.open(file.name, file);
    // The same file may be chosen again.
    input.value = '';
  };
  return (
    <section class={isOver ? 'picker over' : 'picker'} aria-label="Picture">
      <label class="file">
        Choose an image
        <input type="file" accept="image/*,.npy" onChange={({ currentTarget }) => choose(currentTarget)} />
      </label>
      <span class="fine">or drop or paste one, or choose a sample:</span>
      <ul class="samples">
        {samples.map((sample) => (
          <li key={sample.name}>
            <button type="button" onClick={() => void actions.openSample(sample)}>
              <img src={sample.url} alt="" width="48" height="36" />
              {sample.title}
            </button>
          </li>
        ))}
      </ul>
      {picture !== undefined && (
        <p class="chosen" role="status">
          {picture.name}
          {picture.size !== undefined && `, ${picture.size.width} x ${picture.size.height} px`}
          {`, ${picture.file.size.toLocaleString('en')} bytes`}
        </p>
      )}
      {failure !== undefined && <FailureNote failure={failure} />}
    </section>
  );
}

/** Opens what is dropped on the page or pasted into it. Returns whether a file hovers over the page. */
function useDropsAndPastes(): boolean {
  const { actions } = usePage();
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const open = (data: DataTransfer | null): boolean => {
      const [file] = data?.files ?? [];
      if (file === undefined) return false;
      void actions.open(file.name, file);
      return true;
    };
    const over = (event: DragEvent): void => {
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent): void => {
      event.preventDefault();
      setOver(false);
      open(event.dataTransfer);
    };
    const paste = (event: ClipboardEvent): void => {
      if (open(event.clipboardData)) event.preventDefault();
    };
    const stop = new AbortController();
    const { signal } = stop;
    document.addEventListener('dragover', over, { signal });
    document.addEventListener('dragleave', leave, { signal });
    document.addEventListener('drop', drop, { signal });
    document.addEventListener('paste', paste, { signal });
    return () => stop.abort();
  }, [actions]);
  return isOver;
}
