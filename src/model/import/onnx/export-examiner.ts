import type { TowerGeometry } from '../../tower-geometry.ts';
import type { PixelPort, TokenPort } from './export-ports.ts';
import type { ExportWeights } from './export-weights.ts';

/** How an export takes pixels and gives tokens. */
export interface ExportPorts {
  readonly input: PixelPort;
  readonly output: TokenPort;
}

/** What was found of a file, or why it cannot be used: the end of a sentence that begins with the file's name. */
export type Finding<Value> =
  | { readonly kind: 'found'; readonly value: Value }
  | { readonly kind: 'refused'; readonly problem: string };

/**
 * Looks into ONNX files that nobody has vouched for, each time in a process of its own: a file that ends what reads
 * it, natively or by its size, ends that process. Rejects with `cancelled` when the signal fires.
 */
export interface ExportExaminer {
  readWeights(path: string, signal: AbortSignal | undefined): Promise<Finding<ExportWeights>>;
  /** Loads a graph and its weights as serving does, and runs it on two views. */
  tryGraph(
    path: string,
    geometry: TowerGeometry,
    signal: AbortSignal | undefined,
  ): Promise<Finding<ExportPorts>>;
}
