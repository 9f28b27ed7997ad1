import { recognise } from '../../image/format.ts';

const longestText = 1024;

/** Whether a text is the name of an image file, or a path. */
export function namesFile(text: string): boolean {
  const isImage = /\.(?:jpe?g|png|webp|gif|tiff?|avif|heic|bmp|npy)\s*$/i.test(text);
  return (
    text.length <= longestText &&
    !/[\p{C}\ufffd]/u.test(text.trim()) &&
    (isImage || /^(?:~|\.{1,2})?\//.test(text))
  );
}

/** Whether a text is a URL. */
export function isUrl(text: string): boolean {
  return text.length <= longestText && /^[a-z][a-z0-9+.-]{1,9}:\/\/\S+\s*$/i.test(text);
}

/**
 * The error message for an image that is text: JSON, base64, a URL, or the name of a file, which curl sends if the @ is
 * missing. Undefined for any other. `curl` is its option that sends a file, up to the @.
 */
export function textInPlaceOfImage(bytes: Uint8Array, curl: string): string | undefined {
  const { buffer, byteOffset, byteLength } = bytes;
  if (recognise(bytes).kind === 'accepted') return undefined;
  const head = Buffer.from(buffer, byteOffset, Math.min(byteLength, longestText)).toString();
  if (/^\ufeff?\s*\{/.test(head)) return 'The image is JSON, which needs the content type application/json.';
  // What curl -d image=... sends.
  const value = head.replace(/^images?=@?/, '');
  if (isBase64OfImage(value)) {
    return 'The image is base64. Send the bytes that it stands for, or JSON: {"image": base64}.';
  }
  if (byteLength > longestText) return undefined;
  if (isUrl(value)) return 'The image is a URL, and none is fetched: send the image itself.';
  if (!namesFile(value)) return undefined;
  const name = value.trim();
  return `The image is the text ${JSON.stringify(head.trim())}. To send the file of that name, write ${curl}@${name}.`;
}

/** Whether a text starts as base64 of an image does, alone or in a data: URL. */
function isBase64OfImage(text: string): boolean {
  const start = text.trimStart().replace(/^data:[^,]{0,256};\s*base64\s*,/i, '');
  const digits = start.replace(/%2[BF]/gi, decodeURIComponent).slice(0, 64);
  return /^[\w+/=\r\n-]+$/.test(digits) && recognise(Buffer.from(digits, 'base64')).kind === 'accepted';
}

/**
 * A hint for an image that cannot be decoded because `curl -d` has dropped its line breaks. Empty if the body has another
 * content type, contains line breaks, or does not start as an image file does after their loss.
 */
export function strippedHint(bytes: Uint8Array, contentType: string | undefined): string {
  if (!/^\s*application\/x-www-form-urlencoded\b/i.test(contentType ?? '')) return '';
  if (bytes.includes(0x0a) || bytes.includes(0x0d)) return '';
  const isPng = Buffer.from(bytes.subarray(0, 5)).toString('latin1') === '\x89PNG\x1a';
  if (!isPng && recognise(bytes).kind !== 'accepted') return '';
  return ' curl -d drops the line breaks of a file: use --data-binary @FILE.';
}
