import { ServiceError } from '../../errors/service-error.ts';
import { digestOf, type ImageDigest, type ImageInput, type Raster } from '../../image/raster.ts';
import type { EncodeRequest } from '../../encoding/request.ts';
import type {
  AnyResEncodeRequestMessage,
  EncodeRequestMessage,
  ImageMessage,
  RawImageMessage,
  StreamEncodeRequestMessage,
  TeacherEncodeRequestMessage,
} from './messages.ts';
import { anyresOptionsOf, type AskedOptions, encodeOptionsOf, teacherOptionsOf } from './request-options.ts';

/** What a call says beside its message. */
export type CallTerms = Required<Pick<EncodeRequest, 'terms' | 'signal'>> & Pick<EncodeRequest, 'trace'>;

/**
 * The request that an EncodeRequest message makes. This and the two below throw `invalid_argument` for a missing
 * image, pixels that do not fit their size, and options that cannot be. Files and pixels stay in the
 * message's buffer.
 */
export function encodeRequestOf(message: EncodeRequestMessage, call: CallTerms): EncodeRequest {
  return requestOf(message.image, encodeOptionsOf(message.options), call);
}

/** The request that a TeacherEncodeRequest message makes. */
export function teacherRequestOf(message: TeacherEncodeRequestMessage, call: CallTerms): EncodeRequest {
  return requestOf(message.image, teacherOptionsOf(message.options, message.teacher), call);
}

/** The request that an AnyResEncodeRequest message makes. */
export function anyresRequestOf(message: AnyResEncodeRequestMessage, call: CallTerms): EncodeRequest {
  return requestOf(message.image, anyresOptionsOf(message.options, message.anyres), call);
}

/** The request that a StreamEncodeRequest message makes: any of the three. */
export function streamedRequestOf(message: StreamEncodeRequestMessage, call: CallTerms): EncodeRequest {
  const { encode, teacher, anyres } = message;
  if (encode !== undefined) return encodeRequestOf(encode, call);
  if (teacher !== undefined) return teacherRequestOf(teacher, call);
  if (anyres !== undefined) return anyresRequestOf(anyres, call);
  throw new ServiceError('invalid_argument', 'The request is of no kind: set encode, teacher or anyres.');
}

function requestOf(image: ImageMessage | null, asked: AskedOptions, call: CallTerms): EncodeRequest {
  return { images: [imageOf(image)], stacked: false, ...asked, ...call };
}

function imageOf(image: ImageMessage | null): ImageInput | ImageDigest {
  if (image?.digest !== undefined) return digestOf('image.digest', image.digest);
  if (image?.file !== undefined) return { kind: 'file', bytes: image.file };
  if (image?.raw !== undefined) return { kind: 'raster', raster: rasterOf(image.raw) };
  throw new ServiceError(
    'invalid_argument',
    'The request has no image: set image.file, image.raw or image.digest.',
  );
}

function rasterOf({ width, height, rgb }: RawImageMessage): Raster {
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
