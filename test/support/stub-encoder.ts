import { ServiceError } from '../../src/errors/service-error.ts';
import type { Model } from '../../src/model/model.ts';
import { planCost } from '../../src/recipes/cost.ts';
import type { Size } from '../../src/recipes/plan.ts';
import { planRecipe } from '../../src/recipes/planner.ts';
import { encodeEachBy } from './encode-each.ts';
import type {
  EachRequest,
  EncodeAnswer,
  EncodeRequest,
  PlanAnswer,
  PlanRequest,
  VisualEncoder,
} from '../../src/encoding/request.ts';
import { Gate } from './gate.ts';
import { madeUp } from './answer-origin.ts';
import { stubModel } from './stub-model.ts';
import { dtypeBytes } from '../../src/tokens/tensor.ts';

/** The value of a stub answer's byte at `index`: the same for every request, different between neighbours. */
export function stubByte(index: number): number {
  return (index * 31 + (index >> 8)) & 0xff;
}

/**
 * A VisualEncoder that answers `stubByte`s in the shape that the recipe plans for `model` and the image, or what a test has
 * it answer. A file is said to be of `fileSize`, whatever it holds. It keeps the requests it was given, can be held by a
 * gate, and can fail. A held request ends with its signal's reason when that fires.
 */
export class StubEncoder implements VisualEncoder {
  readonly model: Model;
  served: readonly Model[];
  readonly requests: EncodeRequest[] = [];
  readonly planRequests: PlanRequest[] = [];
  answer = (request: EncodeRequest): EncodeAnswer | Promise<EncodeAnswer> => this.#answer(request);
  planned = (request: PlanRequest): PlanAnswer => this.#plan(request);
  /** Throws what is wrong with a request. */
  refuse = (): void => {
    if (this.failure !== undefined) throw this.failure;
  };
  /** Opens once a request has come. */
  readonly arrival = new Gate();
  /** Requests wait for it to open. */
  gate: Gate | undefined;
  /** What every request fails with. */
  failure: unknown;
  fileSize: Size = { width: 640, height: 427 };
  /** How many pieces the tokens come in. */
  partCount = 1;
  isReady = true;

  constructor(model: Partial<Model> = {}) {
    this.model = { ...stubModel, ...model };
    this.served = [this.model, { ...this.model, name: 'second', features: 'penultimate' }];
  }

  encodeEach(request: EachRequest) {
    return encodeEachBy(this, request);
  }

  async encode(request: EncodeRequest): Promise<EncodeAnswer> {
    this.requests.push(request);
    this.arrival.open();
    if (this.gate !== undefined) await this.gate.passed(request.signal);
    if (this.failure !== undefined) throw this.failure;
    return await this.answer(request);
  }

  plan(request: PlanRequest): PlanAnswer {
    this.planRequests.push(request);
    return this.planned(request);
  }

  validate(): void {
    this.refuse();
  }

  models(): readonly Model[] {
    return this.served;
  }

  engines() {
    return { up: 1, total: 1 };
  }

  outages(): readonly [] {
    return [];
  }

  ready(): boolean {
    return this.isReady;
  }

  #answer(request: EncodeRequest): EncodeAnswer {
    const [image] = request.images;
    const size = image?.kind === 'raster' ? image.raster : this.fileSize;
    const { metadata, sizeBytes } = this.#plan({ ...request, size });
    const { shape, dtype } = metadata;
    return {
      tensor: { shape, dtype, parts: this.#parts(sizeBytes) },
      metadata,
      timings: { decodeMs: 1.5, viewsMs: 2.25, queueMs: 0, engineMs: 100.125 },
      ...madeUp,
    };
  }

  #plan({
    size: { width, height },
    recipe,
    options: { output = 'features', dtype },
  }: PlanRequest): PlanAnswer {
    const { name, digest, trained, features, precision } = this.model;
    const plan = planRecipe({ width, height }, this.model, recipe);
    const { views, tokens, values } = planCost(plan);
    return {
      metadata: {
        model: { name, digest, trained },
        recipe: recipe.recipe,
        output,
        features,
        precision,
        dtype,
        shape: plan.shape,
        grid: plan.grid,
        views,
        ...(plan.anyres === undefined ? {} : { anyres: plan.anyres }),
        images: [{ width, height }],
      },
      tokens,
      sizeBytes: values * dtypeBytes[dtype],
    };
  }

  #parts(sizeBytes: number): Uint8Array<ArrayBuffer>[] {
    const whole = new Uint8Array(sizeBytes);
    for (let index = 0; index < sizeBytes; index++) whole[index] = stubByte(index);
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
