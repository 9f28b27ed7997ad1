import type { handleUnaryCall, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { MessageTypeDefinition } from '@grpc/proto-loader';
import { ServiceError } from '../../../errors/service-error.ts';
import { openInferenceMessage, openInferenceService } from '../../../open-inference/definition.ts';
import type { RepositoryIndexRequest__Output } from '../../../open-inference/generated/RepositoryIndexRequest.ts';
import { withoutTokens } from '../../../telemetry/request-log.ts';
import type { OpenInference } from '../../open-inference/open-inference.ts';
import type { EncodedMessage } from '../gathered-message.ts';
import type { Method } from '../inbound.ts';
import type { GrpcLimits } from '../limits.ts';
import { methodDefinition } from '../method-definition.ts';
import type { RequestMessage } from '../request-message.ts';
import { unary } from '../unary.ts';
import { readInferRequest } from './read-infer.ts';
import { writeInferAnswer } from './write-infer.ts';

const probeNames = ['ServerLive', 'ServerReady'] as const;
const methodNames = [
  'ServerMetadata',
  'ModelReady',
  'ModelMetadata',
  'ModelConfig',
  'ModelStatistics',
  'RepositoryIndex',
  'ModelInfer',
] as const;

interface NamedModel {
  readonly name: string;
  readonly version: string;
}

/** The methods of GRPCInferenceService that need a key, by path. They translate, and decide nothing. */
export function openInferenceMethods(
  openInference: OpenInference,
  { reading }: Pick<GrpcLimits, 'reading'>,
): ReadonlyMap<string, Method> {
  /** A method whose answer is a small message. */
  function asking<Asked>(name: string, request: Reader<Asked>, answer: (asked: Asked) => object) {
    const { serialize } = openInferenceMessage<object, never>(`${name}Response`);
    return unary(reading, (bytes) => ({
      message: serialize(answer(readMessage(`${name}Request`, request, bytes))),
    }));
  }

  const ofModel = (name: string, answer: (modelName: string, version: string) => object) =>
    asking(name, openInferenceMessage<never, NamedModel>(`${name}Request`), (asked) =>
      answer(asked.name, asked.version),
    );

  const infer = unary(reading, async (bytes, call) => {
    const answer = await openInference.infer(readInferRequest(bytes), call);
    const { encoded } = answer;
    return { message: writeInferAnswer(answer), answer: withoutTokens(encoded), release: encoded.release };
  });
  const methods = {
    ServerMetadata: {
      endpoint: 'server_metadata',
      answer: asking('ServerMetadata', openInferenceMessage('ServerMetadataRequest'), () =>
        openInference.server(),
      ),
    },
    ModelReady: {
      endpoint: 'model_ready',
      answer: ofModel('ModelReady', (name, version) => ({ ready: openInference.modelReady(name, version) })),
    },
    ModelMetadata: {
      endpoint: 'model_metadata',
      answer: ofModel('ModelMetadata', (name, version) => openInference.metadata(name, version)),
    },
    ModelConfig: {
      endpoint: 'model_config',
      answer: ofModel('ModelConfig', (name, version) => ({ config: openInference.config(name, version) })),
    },
    ModelStatistics: {
      endpoint: 'model_statistics',
      answer: ofModel('ModelStatistics', (name, version) => openInference.statistics(name, version)),
    },
    RepositoryIndex: {
      endpoint: 'model_index',
      answer: asking(
        'RepositoryIndex',
        openInferenceMessage<never, RepositoryIndexRequest__Output>('RepositoryIndexRequest'),
        ({ ready }) => ({ models: openInference.index(ready) }),
      ),
    },
    ModelInfer: { endpoint: 'infer', answer: infer },
  } satisfies Record<(typeof methodNames)[number], Method>;
  return new Map(Object.entries(methods).map(([name, method]) => [pathOf(name), method]));
}

/** The methods that need no key and are not reported, as health checks. */
export function openInferenceProbes(openInference: OpenInference) {
  return {
    ServerLive: probe('ServerLive', () => ({ live: true })),
    ServerReady: probe('ServerReady', () => ({ ready: openInference.ready() })),
  } satisfies UntypedServiceImplementation & Record<(typeof probeNames)[number], unknown>;
}

function probe(name: string, answer: () => object): handleUnaryCall<RequestMessage, EncodedMessage> {
  const { serialize } = openInferenceMessage<object, never>(`${name}Response`);
  return (_call, callback) => callback(null, serialize(answer()));
}

type Reader<Message> = Pick<MessageTypeDefinition<never, Message>, 'deserialize'>;

function readMessage<Message>(name: string, { deserialize }: Reader<Message>, bytes: Buffer): Message {
  try {
    return deserialize(bytes);
  } catch (thrown) {
    throw new ServiceError('invalid_argument', `The message is not an inference.${name}.`, { cause: thrown });
  }
}

/** The service for grpc-js, which neither reads nor writes its messages: the methods report what fails there. */
export const openInferenceDefinition: ServiceDefinition = Object.fromEntries(
  [...probeNames, ...methodNames].map((name) => [name, methodDefinition(pathOf(name))]),
);

function pathOf(name: string): string {
  return `/${openInferenceService}/${name}`;
}
