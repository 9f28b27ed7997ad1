import sharp from 'sharp';

// One image uses one thread; the caller bounds how many are decoded at once. Caching is useless: no image is opened
// twice. No bytes reach a loader that is not unblocked here.
sharp.concurrency(1);
sharp.cache(false);
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Tiff', 'Heif'].map((name) => `VipsForeignLoad${name}Buffer`),
});

/** libvips, set up for bytes from strangers. Import it from here alone. */
export { sharp };
