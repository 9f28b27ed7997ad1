import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { ServiceError } from '../../errors/service-error.ts';

/** What Vite makes of `web`: `index.html`, and files below `playground/` whose names change with their content. */
const folder = new URL('../../../web/', import.meta.url);

/** The page has no scripts, styles or images but its own files. */
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.jpg': 'image/jpeg',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
};

/** Files by path, each read when it is first requested, so that slow clients share one copy. */
const files = new Map<string, Promise<Buffer>>();

/** Where the page learns the gRPC port. */
const emptyPort = '"grpc-port" content=""';

/**
 * Sends the page on which people look at tokens. Its addresses are relative, so that it works below a path prefix. The page
 * learns `grpcPort` from it, for its examples, once the port is known.
 */
export function answerPlayground(grpcPort: () => number | undefined) {
  let filled: Buffer | undefined;
  return async (_request: unknown, reply: FastifyReply): Promise<void> => {
    const port = grpcPort();
    const page = filled ?? (await filledPage(port));
    if (port !== undefined) filled = page;
    reply.type('text/html; charset=utf-8').header('content-security-policy', policy);
    await reply.header('referrer-policy', 'no-referrer').header('cache-control', 'no-cache').send(page);
  };
}

/** Adds the files that the page loads. */
export function addPlayground(app: FastifyInstance): void {
  const config = { endpoint: 'playground' } as const;
  app.get<{ Params: { name: string } }>('/playground/:name', { config }, async (request, reply) => {
    const { name } = request.params;
    const type = types[extname(name)];
    const file =
      type === undefined || !/^[\w-][\w.-]*$/.test(name) ? undefined : await fileAt(`playground/${name}`);
    if (type === undefined || file === undefined) {
      throw new ServiceError('not_found', 'The playground has no such file; reload its page.');
    }
    return reply.type(type).header('cache-control', 'public, max-age=31536000, immutable').send(file);
  });
}

async function filledPage(port: number | undefined): Promise<Buffer> {
  const page = await fileAt('index.html');
  if (page === undefined)
    throw new ServiceError('not_found', 'The playground is not built; npm run build builds it.');
  if (!page.includes(emptyPort)) throw new Error(`the playground's index.html has no ${emptyPort}`);
  return Buffer.from(page.toString().replace(emptyPort, `"grpc-port" content="${port ?? ''}"`));
}

/** Undefined if there is no such file. */
async function fileAt(path: string): Promise<Buffer | undefined> {
  const known = files.get(path) ?? readFile(new URL(path, folder));
  files.set(path, known);
  try {
    return await known;
  } catch (thrown) {
    files.delete(path);
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined;
    throw thrown;
  }
}
