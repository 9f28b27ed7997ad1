/** Text for HTML, in elements and in quoted attributes. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replaceAll(/[&<>"]/g, (character) => entities[character]!);
}

/** A file as an address that needs no network. */
export function dataUrl(type: 'image/png' | 'image/jpeg', file: Uint8Array): string {
  return `data:${type};base64,${Buffer.from(file).toString('base64')}`;
}
