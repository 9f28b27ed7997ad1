import type { EncodeRequest, PlanRequest } from '../../encoding/request.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { digestOf, type ImageDigest, type ImageInput, type Raster } from '../../image/raster.ts';
import type { AskedOptions } from '../request-options.ts';
import type { CallTerms } from '../request-terms.ts';
import { isAlone } from '../sole-image.ts';
import { read } from './definition.ts';
import type {
  AnyResEncodeRequest__Output,
  EncodeRequest__Output,
  Image__Output,
  RawImage__Output,
  StreamEncodeRequest__Output,
  TeacherEncodeRequest__Output,
} from './generated/encoder.ts';
import { anyresOptionsOf, encodeOptionsOf, planOptionsOf, teacherOptionsOf } from './request-options.ts';

/**
 * Reads a request from its message. Each function throws `invalid_argument` if the bytes are not such a message, if the
 * image is missing, if pixels do not match their size, or if an option is invalid. Images stay in the message's buffer.
 */
export const readRequest = {
  encode: (bytes: Buffer, call: CallTerms) => encodeRequest(read.encodeRequest(bytes), call),
  teacher: (bytes: Buffer, call: CallTerms) => teacherRequest(read.teacherEncodeRequest(bytes), call),
  anyres: (bytes: Buffer, call: CallTerms) => anyresRequest(read.anyResEncodeRequest(bytes), call),
  plan: planRequest,
};

/** The request in a message of a stream: any of the three. Throws as `readRequest` does. */
export function streamedRequest(message: StreamEncodeRequest__Output, call: CallTerms): EncodeRequest {
  const { encode, teacher, anyres } = message;
  if (encode) return encodeRequest(encode, call);
  if (teacher) return teacherRequest(teacher, call);
  if (anyres) return anyresRequest(anyres, call);
  throw new ServiceError('invalid_argument', 'The request is of no kind: set encode, teacher or anyres.');
}

function encodeRequest(message: EncodeRequest__Output, call: CallTerms): EncodeRequest {
  return requestOf(message.image, encodeOptionsOf(message.options, message.encode), call);
}

function teacherRequest(message: TeacherEncodeRequest__Output, call: CallTerms): EncodeRequest {
  return requestOf(message.image, teacherOptionsOf(message.options, message.teacher), call);
}

function anyresRequest(message: AnyResEncodeRequest__Output, call: CallTerms): EncodeRequest {
  return requestOf(message.image, anyresOptionsOf(message.options, message.anyres), call);
}

function planRequest(bytes: Buffer, { terms }: CallTerms): PlanRequest {
  const message = read.planRequest(bytes);
  const { image } = message;
  if (image === null)
    throw new ServiceError(
      'invalid_argument',
      'The request has no size: set image.width and image.height, in pixels.',
    );
  return { size: image, ...planOptionsOf(message), terms };
}

function requestOf(image: Image__Output | null, asked: AskedOptions, call: CallTerms): EncodeRequest {
  return { images: [imageOf(image)], stacked: false, ...asked, ...call };
}

function imageOf(image: Image__Output | null): ImageInput | ImageDigest {
  if (image?.digest !== undefined) return digestOf('image.digest', image.digest);
  if (image?.file !== undefined) return { kind: 'file', bytes: image.file, ownsBuffer: isAlone(image.file) };
  if (image?.raw) return { kind: 'raster', raster: rasterOf(image.raw), ownsBuffer: isAlone(image.raw.rgb) };
  throw new ServiceError(
    'invalid_argument',
    'The request has no image: set image.file, image.raw or image.digest.',
  );
}

function rasterOf({ width, height, rgb }: RawImage__Output): Raster {
  const expectedBytes = width * height * 3;
  if (expectedBytes === 0)
    throw new ServiceError(
      'invalid_argument',
      `image.raw is ${width} x ${height} pixels; each side must be 1 or more.`,
    );
  if (rgb.byteLength !== expectedBytes)
    throw new ServiceError(
      'invalid_argument',
      `image.raw.rgb has ${rgb.byteLength} bytes; ${width} x ${height} RGB pixels take ${expectedBytes}.`,
    );
  return { width, height, data: rgb };
}
