/** Where a server of the Open Inference Protocol listens. */
export interface Endpoint {
  /** A name or an address; an IPv6 address is in brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether the server speaks TLS. */
  readonly secure: boolean;
  /** The model's name on the server; its name in this service when absent. */
  readonly model?: string;
}

const form = /^(grpcs?):\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})(?:\/([A-Za-z0-9._-]{1,128}))?$/;

/** Reads grpc://HOST:PORT[/MODEL], or grpcs:// for TLS; undefined if the text is something else. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const [, scheme, host, port, model] = form.exec(text) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  const endpoint = { host, port: Number(port), secure: scheme === 'grpcs' };
  return model === undefined ? endpoint : { ...endpoint, model };
}

/** An endpoint as the user wrote it. */
export function endpointUrl({ host, port, secure, model }: Endpoint): string {
  return `${secure ? 'grpcs' : 'grpc'}://${host}:${port}${model === undefined ? '' : `/${model}`}`;
}
