/** The formats that are decoded. */
export const imageFormats = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const;
export type ImageFormat = (typeof imageFormats)[number];

/** The formats' names in messages to callers. */
export const formatNames = {
  jpeg: 'JPEG',
  png: 'PNG',
  webp: 'WebP',
  gif: 'GIF',
  tiff: 'TIFF',
  avif: 'AVIF',
} as const satisfies Record<ImageFormat, string>;

/** What bytes look like: a format that is decoded, one that is only known by name, or neither. */
export type Recognised =
  | { readonly kind: 'accepted'; readonly format: ImageFormat }
  | { readonly kind: 'refused'; readonly name: string }
  | { readonly kind: 'unknown' };

const signatures: readonly (readonly [signature: string, at: number, format: ImageFormat])[] = [
  ['\xff\xd8\xff', 0, 'jpeg'],
  ['\x89PNG\r\n\x1a\n', 0, 'png'],
  ['GIF87a', 0, 'gif'],
  ['GIF89a', 0, 'gif'],
  ['II*\0', 0, 'tiff'],
  ['MM\0*', 0, 'tiff'],
  ['II+\0', 0, 'tiff'],
  ['MM\0+', 0, 'tiff'],
  ['WEBP', 8, 'webp'],
];

const refusedSignatures: readonly (readonly [signature: string, name: string])[] = [
  ['%PDF-', 'PDF'],
  ['%!PS', 'PostScript'],
  ['BM', 'BMP'],
  ['\0\0\x01\0', 'ICO'],
  ['\xff\x0a', 'JPEG XL'],
  ['\0\0\0\x0cJXL \r\n\x87\n', 'JPEG XL'],
  ['\xff\x4f\xff\x51', 'JPEG 2000'],
  ['\0\0\0\x0cjP  \r\n\x87\n', 'JPEG 2000'],
  ['8BPS', 'Photoshop'],
  ['\x76\x2f\x31\x01', 'OpenEXR'],
  ['#?RADIANCE', 'Radiance HDR'],
  ['DDS ', 'DDS'],
  ['qoif', 'QOI'],
  ['SIMPLE  =', 'FITS'],
];

/** Brands of HEIC and of AVIF in the `ftyp` box of an ISO media file. */
const heicBrands = new Set(['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'hevs']);
const avifBrands = new Set(['avif', 'avis']);

/** The bytes up to the end of the last signature. */
const signatureBytes = Math.max(...signatures.map(([signature, at]) => at + signature.length));
const headBytes = 4096;

/** Recognises a format by the first bytes alone. The decoder checks the rest. */
export function recognise(bytes: Uint8Array): Recognised {
  const start = textOf(bytes, signatureBytes);
  for (const [signature, at, format] of signatures) {
    if (start.startsWith(signature, at)) return { kind: 'accepted', format };
  }
  const head = textOf(bytes, headBytes);
  if (head.startsWith('ftyp', 4)) return recogniseIsoMedia(head);
  for (const [signature, name] of refusedSignatures) {
    if (head.startsWith(signature)) return { kind: 'refused', name };
  }
  if (/^P[1-7]\s/.test(head)) return { kind: 'refused', name: 'PNM' };
  return isSvg(head) ? { kind: 'refused', name: 'SVG' } : { kind: 'unknown' };
}

function textOf({ buffer, byteOffset, byteLength }: Uint8Array, mostBytes: number): string {
  return Buffer.from(buffer, byteOffset, Math.min(byteLength, mostBytes)).toString('latin1');
}

function recogniseIsoMedia(head: string): Recognised {
  const sizeBytes = Buffer.from(head.slice(0, 4), 'latin1').readUInt32BE();
  const brands = head.slice(8, Math.min(sizeBytes, headBytes)).match(/.{4}/gs) ?? [];
  if (brands.some((brand) => avifBrands.has(brand))) return { kind: 'accepted', format: 'avif' };
  if (brands.some((brand) => heicBrands.has(brand))) return { kind: 'refused', name: 'HEIC' };
  if (brands.some((brand) => brand === 'mif1' || brand === 'msf1')) return { kind: 'refused', name: 'HEIF' };
  return { kind: 'refused', name: 'MP4 or another ISO media file' };
}

function isSvg(head: string): boolean {
  const text = head.replace(/^\xef\xbb\xbf/, '').trimStart();
  const svg = text.search(/<svg[\s>]/);
  return text.startsWith('<') && svg >= 0 && !/<html/i.test(text.slice(0, svg));
}
