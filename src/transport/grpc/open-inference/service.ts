import type { handleUnaryCall } from '@grpc/grpc-js';
import { openInferenceMessage, openInferenceService } from '../../../open-inference/definition.ts';
import { withoutTokens } from '../../../telemetry/request-log.ts';
import type { OpenInference } from '../../open-inference/open-inference.ts';
import { readMessage } from '../read-message.ts';
import type { EncodedMessage } from '../gathered-message.ts';
import type { Method } from '../inbound.ts';
import type { GrpcLimits } from '../limits.ts';
import type { RequestMessage } from '../request-message.ts';
import { unary } from '../unary.ts';
import { readInferRequest } from './read-infer.ts';
import { writeInferAnswer } from './write-infer.ts';

/** What the small requests hold; each has some of the fields. */
type Asked = Partial<Record<'name' | 'version', string>> & { readonly ready?: boolean };

/** The methods of GRPCInferenceService that need a key, by path. They translate, and decide nothing. */
export function openInferenceMethods(
  openInference: OpenInference,
  { reading }: Pick<GrpcLimits, 'reading'>,
): ReadonlyMap<string, Method> {
  /** A method whose answer is a small message. */
  function asking(name: string, endpoint: string, answer: (asked: Asked) => object): [string, Method] {
    const { deserialize } = openInferenceMessage<never, Asked>(`${name}Request`);
    const { serialize } = openInferenceMessage<object, never>(`${name}Response`);
    const what = `an inference.${name}Request`;
    const work = unary(reading, (bytes) => ({
      message: serialize(answer(readMessage(what, deserialize, bytes))),
    }));
    return [pathOf(name), { endpoint, answer: work }];
  }

  const ofModel = (name: string, endpoint: string, answer: (model: string, version: string) => object) =>
    asking(name, endpoint, ({ name: model = '', version = '' }) => answer(model, version));

  const infer = unary(reading, async (bytes, call) => {
    const answer = await openInference.infer(readInferRequest(bytes), call);
    const { encoded } = answer;
    return { message: writeInferAnswer(answer), answer: withoutTokens(encoded), release: encoded.release };
  });
  return new Map<string, Method>([
    asking('ServerMetadata', 'server_metadata', () => openInference.server()),
    ofModel('ModelReady', 'model_ready', (name, version) => ({
      ready: openInference.modelReady(name, version),
    })),
    ofModel('ModelMetadata', 'model_metadata', (name, version) => openInference.metadata(name, version)),
    ofModel('ModelConfig', 'model_config', (name, version) => ({
      config: openInference.config(name, version),
    })),
    ofModel('ModelStatistics', 'model_statistics', (name, version) =>
      openInference.statistics(name, version),
    ),
    asking('RepositoryIndex', 'model_index', ({ ready = false }) => ({
      models: openInference.index(ready),
    })),
    [pathOf('ModelInfer'), { endpoint: 'infer', answer: infer }],
  ]);
}

/** The methods that need no key and are not reported, as health checks. */
export function openInferenceProbes(openInference: OpenInference) {
  return {
    ServerLive: probe('ServerLive', () => ({ live: true })),
    ServerReady: probe('ServerReady', () => ({ ready: openInference.ready() })),
  };
}

function probe(name: string, answer: () => object): handleUnaryCall<RequestMessage, EncodedMessage> {
  const { serialize } = openInferenceMessage<object, never>(`${name}Response`);
  return (_call, callback) => callback(null, serialize(answer()));
}

function pathOf(name: string): string {
  return `/${openInferenceService}/${name}`;
}
