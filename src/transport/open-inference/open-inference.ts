import type { EncodeRequest, VisualEncoder } from '../../encoding/request.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { Model } from '../../model/model.ts';
import { selectModel } from '../../model/select-model.ts';
import type { CallTerms } from '../request-terms.ts';
import { askedOf } from './asked-inference.ts';
import { configOf, extensions, metadataOf, platform } from './describe-model.ts';
import { type InferAnswer, inferAnswer } from './infer-answer.ts';
import { type InferRequest, invalid, longestId, modelVersion, quotedName } from './infer-request.ts';
import { imagesOf } from './read-images.ts';
import { InferStatistics } from './statistics.ts';

export interface OpenInferenceOptions {
  readonly encoder: VisualEncoder;
  /** Most images in one request. */
  readonly maxImages: number;
  /** The package's version. */
  readonly version?: string | undefined;
}

/**
 * The Open Inference Protocol over an encoder, for both transports: they read and write the wire, and this class decides.
 * Every model has one version. Every method that takes a model's name throws `not_found` for one that is not served.
 */
export class OpenInference {
  readonly #encoder: VisualEncoder;
  readonly #maxImages: number;
  readonly #version: string;
  readonly #statistics = new Map<string, InferStatistics>();

  constructor({ encoder, maxImages, version = 'unknown' }: OpenInferenceOptions) {
    this.#encoder = encoder;
    this.#maxImages = maxImages;
    this.#version = version;
  }

  ready(): boolean {
    return this.#encoder.ready();
  }

  server() {
    return { name: platform, version: this.#version, extensions };
  }

  /** A served model. The name and version are as a caller gives them; an empty version is any. */
  model(name: string, version: string): Model {
    const served = this.#encoder.models().map((model) => ({ model }));
    const { model } = selectModel(served, { model: name });
    if (version === '' || version === modelVersion) return model;
    throw new ServiceError(
      'not_found',
      `The model "${model.name}" has no version ${quotedName(version)}; its only version is ${modelVersion}.`,
    );
  }

  modelReady(name: string, version: string): boolean {
    return this.model(name, version) !== undefined && this.ready();
  }

  metadata(name: string, version: string) {
    return metadataOf(this.model(name, version));
  }

  config(name: string, version: string) {
    return configOf(this.model(name, version), this.#maxImages);
  }

  /** The statistics of a model, or of every model where `name` is empty. They count requests of this protocol alone. */
  statistics(name: string, version: string) {
    const models = name === '' ? this.#encoder.models() : [this.model(name, version)];
    return { modelStats: models.map((model) => this.#statisticsOf(model.name).of(model.name)) };
  }

  /** The models and their states; where `readyOnly`, those that are ready. */
  index(readyOnly: boolean) {
    const isReady = this.ready();
    if (readyOnly && !isReady) return [];
    return this.#encoder.models().map(({ name }) => ({
      name,
      version: modelVersion,
      state: isReady ? 'READY' : 'UNAVAILABLE',
      reason: isReady ? '' : 'The service is starting or stopping.',
    }));
  }

  /**
   * Encodes the images of a request. `validate` may refuse what the transport cannot answer; it runs after the inputs are
   * checked and before any image is decoded. Rejects with a ServiceError. The answer must be released.
   */
  async infer(
    request: InferRequest,
    { terms, trace, signal }: CallTerms,
    validate: (asked: Pick<EncodeRequest, 'options'>) => void = () => undefined,
  ): Promise<InferAnswer> {
    const model = this.model(request.modelName, request.modelVersion);
    const startedMs = performance.now();
    const statistics = this.#statisticsOf(model.name);
    try {
      if (request.id.length > longestId)
        throw invalid(`The id has over ${longestId} characters; send a shorter one.`);
      const { outputName, ...asked } = askedOf(request, model, terms);
      const images = imagesOf(request.inputs, this.#maxImages);
      if (asked.recipe.recipe === 'anyres' && images.length > 1) {
        throw invalid('AnyRes answers differ in length: send one image in each request.');
      }
      validate(asked);
      const encoded = await this.#encoder.encode({ images, stacked: true, ...asked, trace, signal });
      statistics.succeed(encoded, performance.now() - startedMs);
      return inferAnswer(request.id, outputName, encoded);
    } catch (thrown) {
      statistics.fail(performance.now() - startedMs);
      throw thrown;
    }
  }

  #statisticsOf(name: string): InferStatistics {
    const known = this.#statistics.get(name) ?? new InferStatistics();
    this.#statistics.set(name, known);
    return known;
  }
}
