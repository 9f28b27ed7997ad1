/**
 * A text as JSON writes it, on one line for a message. JSON leaves DEL and the controls U+0080 to U+009F as they are,
 * some of which terminals obey: these are escaped too. Of a longer text, it is the first `mostCharacters` and an ellipsis.
 */
export function quoted(text: string, mostCharacters = text.length): string {
  const shown = text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text;
  return withoutControls(JSON.stringify(shown));
}

/** The same text with its control characters escaped as in JSON. */
export function withoutControls(text: string): string {
  return text.replace(/\p{Cc}/gu, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
