// What `helm test` runs, in the service's own image: encodes a picture of 16 x 16 pixels over HTTP and looks at the
// tokens that come back. Where keys are asked for and it has none, that they are.
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const picture = 'UklGRi4AAABXRUJQVlA4TCIAAAAvD8ADALkyRPQ/dhHR/wCRtk0t3L/gwdOJGMCYAKoO1H8A';
const { URL: base, API_KEY: key, ASKS_FOR_KEYS, SERVER_NAME, CA_FILE, CLIENT_FOLDER } = process.env;

function readIf(file) {
  return file !== undefined && existsSync(file) ? readFileSync(file) : undefined;
}

function post(path, body) {
  const url = new URL(path, base);
  const options = {
    method: 'POST',
    timeout: 60_000,
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    servername: SERVER_NAME,
    ca: readIf(CA_FILE),
    cert: CLIENT_FOLDER && readFileSync(`${CLIENT_FOLDER}/tls.crt`),
    key: CLIENT_FOLDER && readFileSync(`${CLIENT_FOLDER}/tls.key`),
  };
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? https : http).request(url, options, (response) => {
      response.toArray().then((parts) => {
        resolve({ status: response.statusCode, text: Buffer.concat(parts).toString() });
      }, reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer within a minute')));
    request.on('error', reject);
    request.end(body);
  });
}

const { status, text } = await post('/v1/encode?format=json', Buffer.from(picture, 'base64'));
if (ASKS_FOR_KEYS === 'true' && key === undefined) {
  if (status !== 401) throw new Error(`asked for no key: ${status} ${text.slice(0, 500)}`);
  console.log('asks for a key, as it should; tests.apiKeySecret has the test encode too');
} else {
  if (status !== 200) throw new Error(`${status} ${text.slice(0, 500)}`);
  const { metadata, shape, dtype, data } = JSON.parse(text);
  const sizeBytes = Buffer.from(data, 'base64').length;
  const bytesAValue = dtype === 'float32' ? 4 : 2;
  if (sizeBytes !== shape.reduce((product, side) => product * side, bytesAValue)) {
    throw new Error(`${sizeBytes} bytes of ${dtype} are not [${shape.join(', ')}]`);
  }
  console.log(`${metadata.model.name} gave [${shape.join(', ')}] in ${dtype}`);
}
