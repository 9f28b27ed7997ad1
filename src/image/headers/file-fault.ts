/** Why a file cannot be decoded. The message completes "The GIF cannot be decoded: ...", and callers read it. */
export class FileFault extends Error {}
