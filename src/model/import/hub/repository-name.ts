/** A model repository's name, OWNER/NAME, that isRepositoryName has checked. */
export type RepositoryName = `${string}/${string}`;

const part = /^(?![-.])[\w.-]{1,96}(?<![-.])$/;

/** Whether a text can be a repository's name: two parts of letters, digits and _ - . by the hub's own rules. */
export function isRepositoryName(text: string): text is RepositoryName {
  const parts = text.split('/');
  if (parts.length !== 2 || /--|\.\./.test(text) || /\.(onnx|safetensors|git)$/i.test(text)) return false;
  return parts.every((each) => part.test(each));
}
