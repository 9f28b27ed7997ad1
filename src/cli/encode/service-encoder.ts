import { isDeepStrictEqual } from 'node:util';
import { ServiceError } from '../../errors/service-error.ts';
import { JsonObject } from '../../model/json-object.ts';
import { servedName } from '../../model/model-source.ts';
import { type TokenFormat, carriesMetadata } from '../../tokens/formats/format.ts';
import type { EncodeSettings } from '../settings/encode.ts';
import type { RecipeRequest } from '../settings/recipe-flags.ts';
import { type ImageEncoder, type ModelProvenance, usualSize } from './image-encoder.ts';
import { type ServiceAnswer, ServiceConnection } from './service-connection.ts';
import { ServicePool, type ServicePoolOptions } from './service-pool.ts';

export interface ServiceAccess extends Omit<ServicePoolOptions, 'retryMs'> {
  /** For the proxies. */
  readonly env: NodeJS.ProcessEnv;
}

type Query = Readonly<Record<string, string | undefined>>;

/**
 * Connects to the services of --url, which must serve the same model; calls `note` for one that gives no answer yet. Rejects
 * with `unavailable` if none answers within --retry-ms, and with the service's error if it does not take the request.
 */
export async function openServiceEncoder(
  settings: EncodeSettings,
  { recipe: { recipe }, query, expectations }: RecipeRequest,
  format: TokenFormat,
  { env, ...timing }: ServiceAccess,
  note: (sentence: string) => void,
  signal: AbortSignal,
): Promise<ImageEncoder> {
  const { urls, apiKey, retryMs, urlRequests, models } = settings;
  const [model] = models.map(servedName);
  const asked: Query = { model, ...query, ...expectations };
  const connections = urls.map((url) => new ServiceConnection(url, apiKey, env));
  const close = async () => connections.forEach((connection) => connection.close());
  try {
    const { width, height } = usualSize;
    const planPath = pathOf('/v1/plan', { recipe, width: `${width}`, height: `${height}`, ...asked });
    const pool = new ServicePool(connections, { ...timing, retryMs });
    const provenance =
      (await askAll(connections, planPath, note, signal)) ??
      provenanceOf(await pool.ask(planPath, undefined, signal));
    const path = pathOf(recipe === 'encode' ? '/v1/encode' : `/v1/${recipe}-encode`, {
      ...asked,
      // A service that is replaced by one of another model fails, rather than mix their tokens.
      expect_digest: provenance.model.digest,
      expect_projector_digest: provenance.projector,
      format,
    });
    return {
      provenance,
      imagesAtOnce: urls.length * urlRequests,
      async encode(bytes, abort) {
        const answer = await pool.ask(path, bytes, abort);
        const metadata = metadataOf(answer, format);
        const fields = JsonObject.from(parsed(metadata, answer.url), 'the metadata');
        requireSameScales(scaleModelsOf(fields), provenance.scale_models);
        const shape = fields.get('shape') as readonly number[];
        return { buffers: [answer.body], shape, metadata, done: () => undefined };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The model that all services have that answer now; undefined if none does. Calls `note` for each that does not. */
async function askAll(
  connections: readonly ServiceConnection[],
  path: string,
  note: (sentence: string) => void,
  signal: AbortSignal,
): Promise<ModelProvenance | undefined> {
  const outcomes = await Promise.all(
    connections.map(async (connection) => {
      const { url } = connection;
      const outcome = await connection.ask(path, undefined, signal);
      if ('answer' in outcome) return { url, provenance: provenanceOf(outcome.answer) };
      const { error, isTemporary } = outcome.refusal;
      const message = error.message.startsWith(url) ? error.message : `${url}: ${error.message}`;
      if (!isTemporary) throw error.withMessage(message);
      note(`${message} It gets images once it answers.`);
      return undefined;
    }),
  );
  const [first, ...others] = outcomes.filter((outcome) => outcome !== undefined);
  if (first === undefined) return undefined;
  const other = others.find(
    ({ provenance }) => !isDeepStrictEqual(digestsOf(provenance), digestsOf(first.provenance)),
  );
  if (other === undefined) return first.provenance;
  throw new ServiceError(
    'failed_precondition',
    `${first.url} and ${other.url} serve different ${differenceOf(first.provenance, other.provenance)}`,
  );
}

/** What differs between two services, by its digests, and what to do. */
function differenceOf(one: ModelProvenance, other: ModelProvenance): string {
  if (one.model.digest !== other.model.digest) {
    return `models: ${one.model.digest} and ${other.model.digest}. Name one that both serve with --model.`;
  }
  const advice = 'Start them with the same model folders.';
  return one.projector === other.projector
    ? `models of the larger scales: ${listed(one.scale_models)} and ${listed(other.scale_models)}. ${advice}`
    : `projectors: ${one.projector ?? 'none'} and ${other.projector ?? 'none'}. ${advice}`;
}

function listed(digests: ModelProvenance['scale_models']): string {
  return digests?.join(', ') ?? 'none';
}

function digestsOf({ model, projector, scale_models: scaleModels }: ModelProvenance) {
  return [model.digest, projector, scaleModels];
}

function provenanceOf({ body, url }: ServiceAnswer): ModelProvenance {
  const metadata = JsonObject.from(parsed(body.toString(), url), `${url}/v1/plan`).object('metadata');
  const model = metadata.object('model');
  return {
    model: { name: model.string('name'), digest: model.string('digest') },
    projector: metadata.has('projector') ? metadata.object('projector').string('digest') : undefined,
    scale_models: scaleModelsOf(metadata),
  };
}

/** The digests of the scales' models; undefined unless each scale has its own. */
function scaleModelsOf(metadata: JsonObject): readonly string[] | undefined {
  if (!metadata.has('teacher')) return undefined;
  const teacher = metadata.object('teacher');
  if (teacher.get('windows') !== 'whole') return undefined;
  const models = teacher.get('models') as readonly { readonly digest: string }[];
  return models.map(({ digest }) => digest);
}

/** No option of the request names the models of the larger scales, so the answer is checked. */
function requireSameScales(
  answered: ModelProvenance['scale_models'],
  planned: ModelProvenance['scale_models'],
): void {
  if (isDeepStrictEqual(answered, planned)) return;
  throw new ServiceError(
    'failed_precondition',
    `The service has changed the models of --windows whole: it answers with ${listed(answered)}, not ${listed(planned)}. ` +
      'Serve the same models again, or encode into another folder.',
  );
}

/** The metadata of an answer: in the file, or in a header beside it. */
function metadataOf({ url, headers, body }: ServiceAnswer, format: TokenFormat): string {
  const header = headers['tokens-meta']?.toString();
  if (!carriesMetadata(format)) {
    if (header === undefined) throw notAService(url);
    return header;
  }
  const headerBytes = body.byteLength < 8 ? 0 : Number(body.readBigUInt64LE(0));
  const fields = JsonObject.from(parsed(body.subarray(8, 8 + headerBytes).toString(), url), 'the answer');
  return fields.object('__metadata__').string('tokens_meta');
}

function parsed(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notAService(url, error);
  }
}

function notAService(url: string, cause?: unknown): ServiceError {
  return new ServiceError('failed_precondition', `--url ${url} is not a siglip-hd service.`, { cause });
}

function pathOf(path: string, query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as [string, string]],
  );
  return `${path}?${new URLSearchParams(given).toString()}`;
}
