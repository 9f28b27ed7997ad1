// A view worker that ends its thread when it is given an image 13 pixels wide.
import makeViews from '../../src/image/view-worker.ts';
import type { ViewTask } from '../../src/image/view-worker.ts';

export default function makeViewsOrDie(task: ViewTask): Promise<unknown> {
  if (task.size.width === 13) process.exit(1);
  return makeViews(task);
}
