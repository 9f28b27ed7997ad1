import { getHFHubCachePath } from '@huggingface/hub';
import { ServiceError } from '../../../errors/service-error.ts';

/** How the hub is reached, and where what comes of it is kept. */
export interface HubAccess {
  /** Address that repositories are below, without a slash at its end. */
  readonly endpoint: string;
  /** Goes to the endpoint's host and to no other. Never part of a message. */
  readonly token: string | undefined;
  /** Whether nothing may be asked for. */
  readonly offline: boolean;
  /** Folder of models--OWNER--NAME, the one of Python's huggingface_hub. */
  readonly cacheFolder: string;
}

const publicHub = 'https://huggingface.co';

/**
 * Reads HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE, as Python's huggingface_hub does; `invalid_argument`, without the
 * value, for one that cannot be. `cacheFolder` follows HF_HUB_CACHE and HF_HOME of the process when absent.
 */
export function readHubAccess(env: NodeJS.ProcessEnv, cacheFolder: string = getHFHubCachePath()): HubAccess {
  return {
    endpoint: readEndpoint(env['HF_ENDPOINT']?.trim() || publicHub),
    token: readToken(env['HF_TOKEN']?.trim() || undefined),
    offline: /^(1|on|yes|true)$/i.test(env['HF_HUB_OFFLINE'] ?? ''),
    cacheFolder,
  };
}

function readEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new ServiceError(
      'invalid_argument',
      'HF_ENDPOINT must be an http or https address, without a user.',
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

/** What cannot stand in a header is refused here: fetch would quote it. */
function readToken(text: string | undefined): string | undefined {
  if (text === undefined || /^[\x21-\x7e]+$/.test(text)) return text;
  throw new ServiceError('invalid_argument', 'HF_TOKEN holds a character that no token has.');
}
