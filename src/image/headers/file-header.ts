import type { Size } from '../../recipes/plan.ts';

/** What the bytes of a file say of its picture. */
export interface FileHeader extends OrientationNotes {
  /** As stored, before any orientation. Undefined if only the decoder can tell. */
  readonly size: Size | undefined;
}

/** Metadata in which a file may note its orientation. */
export interface OrientationNotes {
  /** An EXIF block, with or without "Exif\0\0" before it. A TIFF file is one itself. */
  readonly exif?: Uint8Array | undefined;
  readonly xmp?: Uint8Array | undefined;
}
