// For a container's HEALTHCHECK: ends with 0 when /healthz answers, on the port and by the scheme that the environment gives.
const { env } = process;
const isTls = (env.SIGLIPHD_TLS_CERT ?? '') !== '';
const { get } = require(isTls ? 'node:https' : 'node:http');
const options = {
  host: '127.0.0.1',
  port: env.SIGLIPHD_HTTP_PORT || 8080,
  path: '/healthz',
  timeout: 4000,
  // It asks itself.
  rejectUnauthorized: false,
};
get(options, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
  .on('timeout', () => process.exit(1))
  // Where clients need certificates there is none to show; that it asks for one says that it lives.
  .on('error', ({ code }) => process.exit(/CERTIFICATE_REQUIRED/.test(code) ? 0 : 1));
