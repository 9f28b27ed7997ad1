import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { repository } from './paths.ts';
import { type ServerProcess, startServer } from './service-process.ts';

const folder = join(repository, 'bench/peers/fastapi');
const python = process.env['PEER_PYTHON'] ?? 'python3';

/** What a person must do to have the peer. */
export const howToGetPeer = `${python} cannot run the peer. It needs Python with FastAPI, Pillow and onnxruntime:
  python3 -m venv /tmp/peer && /tmp/peer/bin/pip install -r bench/peers/fastapi/requirements.txt
  PEER_PYTHON=/tmp/peer/bin/python npm run bench -- peers front-end`;

/** Names the peer's parts and their versions; undefined where it cannot run. */
export function peerVersions(): string | undefined {
  const program = [
    'import sys, fastapi, uvicorn, PIL, onnxruntime, numpy',
    'print(f"Python {sys.version.split()[0]}, fastapi {fastapi.__version__}, uvicorn {uvicorn.__version__}, "',
    '  f"Pillow {PIL.__version__}, onnxruntime {onnxruntime.__version__}, numpy {numpy.__version__}")',
  ].join('\n');
  const { status, stdout } = spawnSync(python, ['-c', program], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Starts the fifty lines of FastAPI on a model folder. */
export async function startPeer(model: string, threads: number): Promise<ServerProcess> {
  const port = await freePort();
  return await startServer(
    python,
    ['-m', 'uvicorn', 'app:app', '--app-dir', folder, '--port', String(port), '--no-access-log'],
    { port, readyPath: '/healthz', env: { MODEL: model, THREADS: String(threads) } },
  );
}
