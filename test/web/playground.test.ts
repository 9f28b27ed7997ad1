// The playground in a real browser. One process, so that all of its tests share a browser and a service. They are
// registered at once: the hook that closes the browser runs when no test is left.
export * from './picture-tests.ts';
export * from './plan-tests.ts';
export * from './colour-tests.ts';
export * from './comparison-tests.ts';
export * from './request-tests.ts';
export * from './snippet-tests.ts';
export * from './contact-tests.ts';
export * from './access-tests.ts';
