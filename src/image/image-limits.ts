/** Where Pillow starts to warn of a decompression bomb: 256 MiB as RGB. */
export const usualMaxPixels = 89_478_485;
