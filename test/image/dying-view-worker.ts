// A view worker that ends its thread when it is given a raster 13 pixels wide.
import cut from '../../src/image/view-worker.ts';
import type { CutTask } from '../../src/image/view-worker.ts';

export default function cutOrDie(task: CutTask): unknown {
  if (task.raster.width === 13) process.exit(1);
  return cut(task);
}
