// A process that does nothing else, so that its memory is that of assembling.
import { benchAssembleMemory } from './assemble.ts';
import { answerTasks } from '../processes/children.ts';

/** How many answers to assemble at once. */
export interface AssembleMemoryTask {
  readonly atOnce: number;
}

answerTasks(({ atOnce }: AssembleMemoryTask) => benchAssembleMemory(atOnce));
