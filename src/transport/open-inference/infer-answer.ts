import type { EncodeAnswer } from '../../encoding/request.ts';
import { leastReady } from '../../telemetry/stage-timings.ts';
import { metadataJson } from '../../tokens/formats/metadata.ts';
import type { TokenDtype, TokenTensor } from '../../tokens/tensor.ts';
import { modelVersion, type ParameterValue } from './infer-request.ts';

/** The protocol's names of the dtypes. */
export const datatypes = {
  float16: 'FP16',
  float32: 'FP32',
  bfloat16: 'BF16',
} as const satisfies Record<TokenDtype, string>;

/** The answer to an infer request, as either transport writes it. */
export interface InferAnswer {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  readonly output: { readonly name: string; readonly datatype: string; readonly tensor: TokenTensor };
  readonly encoded: EncodeAnswer;
}

export function inferAnswer(id: string, outputName: string, encoded: EncodeAnswer): InferAnswer {
  const { tensor, metadata } = encoded;
  return {
    modelName: metadata.model.name,
    modelVersion,
    id,
    parameters: parametersOf(encoded),
    output: { name: outputName, datatype: datatypes[tensor.dtype], tensor },
    encoded,
  };
}

/** Describes the tokens in scalars. `metadata` is the JSON of the HTTP interface's tokens-meta. */
function parametersOf({ metadata, sources }: EncodeAnswer): Record<string, ParameterValue> {
  const { model, grid, projector } = metadata;
  return {
    digest: model.digest,
    ...(projector === undefined ? {} : { projector_digest: projector.digest }),
    features: metadata.features,
    recipe: metadata.recipe,
    grid: `${grid.width}x${grid.height}`,
    views: metadata.views,
    source: leastReady(sources),
    metadata: metadataJson(metadata),
  };
}
