#!/usr/bin/env bash
# Builds the wheel, installs it in a virtual environment, and checks the format, lint, types and tests.
# Leaves the wheel and venv/ in FOLDER. Needs the service's build.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath "${1:?usage: check.sh FOLDER [--with-torch]}")

python3 -m venv "$folder/venv"
export PATH="$folder/venv/bin:$PATH"
python -m pip install --quiet --upgrade pip
python -m pip wheel --quiet --no-deps --wheel-dir "$folder" .
python -m pip install --quiet "$(echo "$folder"/siglip_hd_client-*.whl)[grpc,pil]" --group dev
if [ "${2:-}" = --with-torch ]; then python -m pip install --quiet --group torch; fi

ruff format --check
ruff check
mypy
# Without --with-torch, the tests that need torch are skipped: it takes 5 GB.
pytest -rs
