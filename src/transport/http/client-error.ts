import { type ProblemCode, problem } from './problem.ts';

/** What node found wrong before there was a request to answer. */
export function clientErrorCode(error: NodeJS.ErrnoException): ProblemCode {
  if (error.code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large';
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request_timeout';
  return 'invalid_argument';
}

function sentenceOf(code: ProblemCode, maxHeaderBytes: number): string {
  if (code === 'headers_too_large') {
    return `The request line and headers are over the limit of ${maxHeaderBytes.toLocaleString('en-US')} bytes.`;
  }
  if (code === 'request_timeout') {
    return 'The request did not arrive in the time that the server waits for one.';
  }
  return 'This is not a valid HTTP/1.1 request.';
}

/** A whole HTTP/1.1 answer for a connection on which no request could be read; the connection ends with it. */
export function clientErrorAnswer(code: ProblemCode, requestId: string, maxHeaderBytes: number): string {
  const message = sentenceOf(code, maxHeaderBytes);
  const { status, headers, body } = problem({ code, message }, requestId);
  const lines = Object.entries({ ...headers, 'x-request-id': requestId, connection: 'close' });
  return `HTTP/1.1 ${status} ${reasons[status] ?? 'Error'}\r\n${lines
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n${body.toString()}`;
}

const reasons: Record<number, string> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};
