import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { Arithmetic } from '../arithmetic/arithmetic.ts';
import { Service } from '../service/service.ts';
import { Actions } from './actions.ts';
import { Asking } from './asking.ts';
import { Comparing } from './comparing.ts';
import { KeyGate } from './key-gate.ts';
import { Learning } from './learning.ts';
import { Painting } from './painting.ts';
import { initialState } from './state.ts';
import { Store } from './store.ts';
import { Watching } from './watching.ts';

/** The parts of the page that outlive what is drawn. */
export interface Page {
  readonly store: Store;
  readonly service: Service;
  readonly actions: Actions;
  readonly keys: KeyGate;
  readonly watching: Watching;
}

/** Puts the parts together and begins to watch the service at `base`. */
export function startPage(base: URL): Page {
  const store = new Store(initialState);
  const keys = new KeyGate(store);
  const service = new Service(base, keys.obtain);
  const arithmetic = new Arithmetic();
  const learning = new Learning(store, service);
  const asking = new Asking(store, service, arithmetic, learning);
  const actions = new Actions(store, asking);
  new Painting(store, arithmetic).start();
  new Comparing(store, arithmetic).start();
  const watching = new Watching(store, service, learning, () => {
    actions.openPanels();
    asking.askLost();
  });
  watching.start();
  return { store, service, actions, keys, watching };
}

export const PageContext = createContext<Page | undefined>(undefined);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (page === undefined) throw new Error('no page');
  return page;
}
