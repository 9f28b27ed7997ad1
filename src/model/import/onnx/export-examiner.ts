import type { TowerGeometry } from '../../tower-geometry.ts';
import type { PixelPort, TokenPort } from './export-ports.ts';
import type { ExportWeights } from './export-weights.ts';

/** How an export takes pixels and gives tokens. */
export interface ExportPorts {
  readonly input: PixelPort;
  readonly output: TokenPort;
}

/**
 * Examines untrusted ONNX files, each time in a process of its own: a file that crashes its reader crashes only that
 * process. Rejects with an ExportProblem, and with `cancelled` when the signal fires.
 */
export interface ExportExaminer {
  readWeights(path: string, signal: AbortSignal | undefined): Promise<ExportWeights>;
  /** Loads a graph and its weights as serving does, and runs it on two views. */
  tryGraph(path: string, geometry: TowerGeometry, signal: AbortSignal | undefined): Promise<ExportPorts>;
}
