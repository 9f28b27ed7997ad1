// A pool worker whose thread dies while it starts.
import { threadId } from 'node:worker_threads';

if (threadId !== 0) throw new Error('died while starting');
