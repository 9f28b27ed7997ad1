// Connects to the service: a promise for each call, with the types of encoder.proto (npm run types).
// @ts-check
import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition, Metadata, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/**
 * @import { ProtoGrpcType } from './generated/encoder.ts'
 * @import { Metadata__Output } from './generated/siglip_hd/v1/Metadata.ts'
 * @import { RequestOptions } from './generated/siglip_hd/v1/RequestOptions.ts'
 * @import { Timings__Output } from './generated/siglip_hd/v1/Timings.ts'
 */

// The same options as for the generated types, in package.json.
const definition = loadSync('siglip_hd/v1/encoder.proto', {
  includeDirs: [fileURLToPath(new URL('../../proto', import.meta.url))],
  longs: Number,
  enums: String,
  defaults: true,
});
const contract = /** @type {ProtoGrpcType} */ (/** @type {unknown} */ (loadPackageDefinition(definition)));

/** grpc-js ends the details of a failed connection with a note that may be empty. */
function sentence(/** @type {string} */ details) {
  return details.replace(/\s*Resolution note:\s*$/, '');
}

/**
 * Opens a connection to `grpc://host:port`, or `grpcs://host:port` for TLS.
 *
 * @param {string} url
 * @param {string} [key] The API key, if the service has keys.
 */
export function connect(url, key) {
  const { groups: { scheme, address } = {} } =
    /^(?<scheme>grpcs?):\/\/(?<address>[^/]+:\d+)\/?$/.exec(url) ?? {};
  if (address === undefined)
    throw new Error(`${url} is not a gRPC address: use grpc://HOST:PORT or grpcs://HOST:PORT.`);
  const channel = scheme === 'grpcs' ? credentials.createSsl() : credentials.createInsecure();
  const headers = new Metadata();
  if (key) headers.set('authorization', `Bearer ${key}`);
  const client = new contract.siglip_hd.v1.VisualEncoderService(address, channel, {
    // Tokens can exceed the 4 MiB that a client accepts by default,
    'grpc.max_receive_message_length': 64 * 2 ** 20,
    // and arrive more than twice as fast with a window larger than 64 KiB.
    'grpc-node.flow_control_window': 8 * 2 ** 20,
  });
  return {
    /**
     * Encodes an image file. `tokens` is `[tokens, channels]`, row by row.
     *
     * @param {Buffer} file
     * @param {Omit<RequestOptions, 'dtype'>} options
     * @returns {Promise<{ tokens: Float32Array, metadata: Metadata__Output, timings: Timings__Output }>}
     */
    encode(file, options = {}) {
      const request = {
        image: { file },
        options: { ...options, dtype: /** @type {const} */ ('DTYPE_FLOAT32') },
      };
      return new Promise((resolve, reject) => {
        client.encode(request, headers, { deadline: Date.now() + 60_000 }, (error, response) => {
          if (error !== null) return reject(new Error(`${status[error.code]}: ${sentence(error.details)}`));
          const { tensor, metadata, timings } = response ?? {};
          if (!tensor || !metadata || !timings) return reject(new Error('The answer has no tokens.'));
          // The bytes may start at any offset of a larger buffer; a Float32Array needs them aligned.
          const tokens = new Float32Array(Uint8Array.from(tensor.data).buffer);
          return resolve({ tokens, metadata, timings });
        });
      });
    },
    close: () => client.close(),
  };
}
