import { defineConfig } from 'vite';

/** Every address is relative, so that the page works below a path prefix, and every file is a file: the page's policy has no data: URLs. */
export default defineConfig({
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../build/web',
    emptyOutDir: true,
    assetsDir: 'playground',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    target: 'es2022',
  },
  worker: { format: 'es' },
});
