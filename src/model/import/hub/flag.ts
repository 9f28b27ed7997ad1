/** Whether a variable of the hub's is switched on, by the words that Python's huggingface_hub takes. */
export function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '');
}
