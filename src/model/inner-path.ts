/** Whether a path that came with a download names a file inside its folder, and on no system one outside of it. */
export function isInnerPath(path: string): boolean {
  return (
    !/[\\:\0]/.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}
