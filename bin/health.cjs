// For a container's HEALTHCHECK: exits with 0 if /healthz answers at the address, port and scheme that the environment gives.
const { env } = process;
const isTls = (env.SIGLIPHD_TLS_CERT ?? '') !== '';
const { get } = require(isTls ? 'node:https' : 'node:http');
const isEverywhere = ['', '0.0.0.0', '::'].includes(env.SIGLIPHD_HOST ?? '');
const options = {
  // A service on every address is on this one, whatever the family: `::` takes IPv4 as well.
  host: isEverywhere ? '127.0.0.1' : env.SIGLIPHD_HOST,
  port: env.SIGLIPHD_HTTP_PORT || 8080,
  path: '/healthz',
  timeout: 4000,
  // The certificate names the service, not this address.
  rejectUnauthorized: false,
};
get(options, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
  .on('timeout', () => process.exit(1))
  // This check has no client certificate; a service that asks for one is alive.
  .on('error', ({ code }) => process.exit(/CERTIFICATE_REQUIRED/.test(code) ? 0 : 1));
