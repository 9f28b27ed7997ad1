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
 * The error message for an image that is the name of a file, which curl sends if the @ is missing, or a URL. Undefined
 * for any other. `curl` is its option that sends a file, up to the @.
 */
export function textInPlaceOfImage(bytes: Uint8Array, curl: string): string | undefined {
  if (bytes.byteLength > longestText) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  if (isUrl(text)) return 'The image is a URL, and none is fetched: send the image itself.';
  if (!namesFile(text)) return undefined;
  const name = text.trim();
  return `The image is the text ${JSON.stringify(name)}. To send the file of that name, write ${curl}@${name}.`;
}

/**
 * A hint for an image that cannot be decoded because `curl -d` has dropped its line breaks. Empty if the body has another
 * content type or contains line breaks.
 */
export function strippedHint(bytes: Uint8Array, contentType: string | undefined): string {
  if (!/^\s*application\/x-www-form-urlencoded\b/i.test(contentType ?? '')) return '';
  if (bytes.includes(0x0a) || bytes.includes(0x0d)) return '';
  return ' curl -d drops the line breaks of a file: use --data-binary @FILE.';
}
