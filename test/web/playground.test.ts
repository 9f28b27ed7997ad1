// The playground in a real browser. One process, so that all of its tests share a browser and a service.
await import('./picture-tests.ts');
await import('./plan-tests.ts');
await import('./colour-tests.ts');
await import('./comparison-tests.ts');
await import('./request-tests.ts');
await import('./snippet-tests.ts');
await import('./contact-tests.ts');
await import('./access-tests.ts');
