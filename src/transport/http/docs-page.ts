import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Swagger UI. All addresses are relative, so that it works below a path prefix. */
const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>siglip-hd</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`;

const start = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#api',
  deepLinking: true,
  displayRequestDuration: true,
  // Without this it would ask validator.swagger.io about the description.
  validatorUrl: null,
  // Offers tokens for download. Swagger UI would take half a minute to show them as text.
  responseInterceptor: (response) => {
    const extension = /npy|safetensors/.exec(response.headers['content-type'])?.[0];
    if (extension) response.headers['content-disposition'] = 'attachment; filename=tokens.' + extension;
    return response;
  },
});
`;

/** The icons in Swagger UI's style sheet are data: URLs. */
const policy = [
  "default-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The files of Swagger UI that the page uses, and their types. */
const assets = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
} as const;

/** Sends the page on which people read about the API and try it. */
export function answerDocs(_request: FastifyRequest, reply: FastifyReply): void {
  reply.type('text/html; charset=utf-8').header('content-security-policy', policy);
  reply.header('referrer-policy', 'no-referrer').send(page);
}

/**
 * Adds the files that the page loads, and redirects to the page: also from `/`, unless that has a page. A file is read when it
 * is first requested.
 */
export function addDocs(app: FastifyInstance, hasFrontPage: boolean): void {
  const config = { endpoint: 'docs' } as const;
  const { resolve } = createRequire(import.meta.url);
  if (!hasFrontPage) app.get('/', { config }, (_request, reply) => reply.redirect('docs'));
  app.get('/docs/', { config }, (_request, reply) => reply.redirect('../docs'));
  app.get('/docs/start.js', { config }, (_request, reply) => reply.type('text/javascript').send(start));
  for (const [name, type] of Object.entries(assets)) {
    // Kept in memory, so that slow clients share one copy.
    let file: Promise<Buffer> | undefined;
    app.get(`/docs/${name}`, { config }, async (_request, reply) => {
      file ??= readFile(resolve(`swagger-ui-dist/${name}`));
      return reply
        .type(type)
        .header('cache-control', 'public, max-age=3600')
        .send(await file);
    });
  }
}
