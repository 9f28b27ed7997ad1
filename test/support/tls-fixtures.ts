import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a file of test/fixtures/tls lies; make.sh there says what each is. */
export function tlsFixturePath(name: string): string {
  return join('test/fixtures/tls', name);
}

/** What is in it. */
export function tlsFixture(name: string): Buffer {
  return readFileSync(tlsFixturePath(name));
}
