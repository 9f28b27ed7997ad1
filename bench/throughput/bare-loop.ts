// The bare loop: session.run on the same views over and over, in a process that does nothing else.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { answerTasks } from '../processes/children.ts';
import { graphInput, graphOutputs } from '../../src/model/graph-io.ts';

export interface BareTask {
  readonly graphPath: string;
  readonly imageSize: number;
  readonly threads: number;
  readonly views: number;
  readonly durationMs: number;
}

export interface BareResult {
  readonly viewsPerSecond: number;
}

const sessions = new Map<string, Promise<InferenceSession>>();

function sessionOf({ graphPath, threads }: BareTask): Promise<InferenceSession> {
  const known = sessions.get(graphPath);
  if (known !== undefined) return known;
  const session = InferenceSession.create(graphPath, {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
  sessions.set(graphPath, session);
  return session;
}

async function run(task: BareTask): Promise<BareResult> {
  const session = await sessionOf(task);
  const { views, imageSize, durationMs } = task;
  const bytes = new Uint8Array(views * imageSize * imageSize * 3).map((_, index) => index * 31);
  const pixels = new Tensor('uint8', bytes, [views, imageSize, imageSize, 3]);
  const outputs = [graphOutputs.float16.tokens];
  await session.run({ [graphInput]: pixels }, outputs);
  const startMs = performance.now();
  let done = 0;
  let nowMs = startMs;
  for (; nowMs - startMs < durationMs; nowMs = performance.now()) {
    await session.run({ [graphInput]: pixels }, outputs);
    done += views;
  }
  return { viewsPerSecond: (done / (nowMs - startMs)) * 1000 };
}

answerTasks(run);
