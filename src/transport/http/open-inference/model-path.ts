import type { FastifyRequest } from 'fastify';

/** The model in the path of a request; its version is empty where the path has none. */
export function modelOf({ params }: FastifyRequest): {
  readonly modelName: string;
  readonly modelVersion: string;
} {
  const { model = '', version = '' } = params as Readonly<Record<string, string | undefined>>;
  return { modelName: model, modelVersion: version };
}
