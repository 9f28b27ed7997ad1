import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { usePage } from './page.ts';
import type { State } from './state.ts';

/** What `select` gives of the state. The component is drawn again when it becomes another value. */
export function useSelected<T>(select: (state: State) => T): T {
  const { store } = usePage();
  const [, redraw] = useState(0);
  const selected = select(store.state);
  const latest = useRef({ select, selected });
  latest.current = { select, selected };
  useLayoutEffect(() => {
    const check = (): void => {
      if (!Object.is(latest.current.select(store.state), latest.current.selected))
        redraw((count) => count + 1);
    };
    check();
    return store.subscribe(check);
  }, [store]);
  return selected;
}
