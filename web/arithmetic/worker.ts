import type { ResultMessage, Task, TaskMessage, TaskResults } from './tasks.ts';
import { TokenSets } from './token-sets.ts';

const sets = new TokenSets();

function carryOut(task: Task): TaskResults[Task['kind']] {
  switch (task.kind) {
    case 'put':
      sets.put(task.id, task.bytes, task.channels);
      return undefined;
    case 'drop':
      sets.drop(task.id);
      return undefined;
    case 'components':
      return sets.components(task.ids);
    case 'norms':
      return sets.norms(task.ids);
    case 'similarity':
      return sets.similarity(task.picked, task.threshold);
    case 'compare':
      return sets.compare(task.pair, task.shows);
  }
}

function answer({ number, task }: TaskMessage): ResultMessage {
  try {
    return { number, result: carryOut(task) };
  } catch (thrown) {
    return { number, error: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

self.addEventListener('message', (event: MessageEvent<TaskMessage>) => self.postMessage(answer(event.data)));

// A task that cannot be read has no number to answer to, so the whole worker fails.
self.addEventListener('messageerror', () => {
  throw new Error('a task cannot be read');
});
