// A view worker that says which image it has in hand, by its height, and waits to be told to go on.
import makeViews from '../../src/image/view-worker.ts';
import type { ViewTask } from '../../src/image/view-worker.ts';

export default async function makeViewsWhenTold(task: ViewTask): Promise<unknown> {
  const { height } = task.size;
  const channel = new BroadcastChannel('gated-views');
  const told = new Promise<void>((resolve) => {
    channel.addEventListener('message', (event) => {
      if ((event as MessageEvent).data === height) resolve();
    });
  });
  channel.postMessage({ inHand: height });
  await told;
  channel.close();
  return makeViews(task);
}
