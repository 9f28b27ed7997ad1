import { ServiceError } from '../../src/errors.ts';
import type { Model } from '../../src/model/model.ts';
import type { EncodeAnswer, EncodeRequest, VisualEncoder } from '../../src/request.ts';
import { dtypeBytes } from '../../src/tokens/tensor.ts';
import { Gate } from './gate.ts';

export const stubModel: Model = {
  name: 'stub',
  folder: '/models/stub',
  digest: `sha256:${'ab'.repeat(32)}`,
  architecture: 'siglip',
  trained: false,
  imageSize: 512,
  patchSize: 16,
  grid: { width: 32, height: 32 },
  channels: 24,
  layers: 2,
  features: 'last_hidden_state',
  precision: 'fp32',
  resample: 'bilinear',
};

/** The value of a stub answer's byte at `index`: the same for every request, different between neighbours. */
export function stubByte(index: number): number {
  return (index * 31 + (index >> 8)) & 0xff;
}

/**
 * A VisualEncoder that answers `stubByte`s in the shape of `model`. It keeps the requests it was given, can be held
 * by a gate, and can fail. A held request ends with its signal's reason when that fires.
 */
export class StubEncoder implements VisualEncoder {
  readonly model: Model;
  readonly requests: EncodeRequest[] = [];
  /** Opens once a request has come. */
  readonly arrival = new Gate();
  /** Requests wait for it to open. */
  gate: Gate | undefined;
  /** What every request fails with. */
  failure: unknown;
  /** How many pieces the tokens come in. */
  partCount = 1;
  isReady = true;

  constructor(model: Partial<Model> = {}) {
    this.model = { ...stubModel, ...model };
  }

  async encode(request: EncodeRequest): Promise<EncodeAnswer> {
    this.requests.push(request);
    this.arrival.open();
    await this.gate?.passed(request.signal);
    if (this.failure !== undefined) throw this.failure;
    const { name, digest, trained, features, precision, grid, channels } = this.model;
    const { dtype } = request.options;
    const shape = [grid.width * grid.height, channels];
    return {
      tensor: { shape, dtype, parts: this.#parts(grid.width * grid.height * channels * dtypeBytes[dtype]) },
      metadata: {
        model: { name, digest, trained },
        features,
        precision,
        dtype,
        shape,
        grid,
        images: request.images.map(({ kind }, index) =>
          kind === 'file' ? { width: 640 + index, height: 427 } : { width: 2, height: 1 },
        ),
      },
      timings: { decodeMs: 1.5, viewsMs: 2.25, queueMs: 0, engineMs: 100.125 },
    };
  }

  models(): readonly Model[] {
    return [this.model, { ...this.model, name: 'second', features: 'penultimate' }];
  }

  ready(): boolean {
    return this.isReady;
  }

  #parts(sizeBytes: number): Uint8Array<ArrayBuffer>[] {
    const whole = Uint8Array.from({ length: sizeBytes }, (_, index) => stubByte(index));
    const partBytes = Math.ceil(sizeBytes / this.partCount);
    return Array.from({ length: this.partCount }, (_, index) =>
      whole.slice(index * partBytes, (index + 1) * partBytes),
    );
  }
}

/** An error of each kind that a pipeline gives, for tests of a transport's table. */
export function stubFailure(code: ServiceError['code']): ServiceError {
  return new ServiceError(code, `Failed with ${code}, on purpose.`, { cause: new Error('a secret') });
}
