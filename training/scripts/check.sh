#!/usr/bin/env bash
# Installs the trainer in a virtual environment in FOLDER, and checks the format, lint and quick tests.
# With TORCH_INDEX, an index of wheels such as https://download.pytorch.org/whl/cpu, torch comes without CUDA.
# With PYTHON, the Python of an environment that has the trainer's packages, pytest and ruff, it installs nothing.
set -euo pipefail

if [ -n "${PYTHON:-}" ]; then
  found=$(command -v "$PYTHON") || { echo "error: there is no $PYTHON" >&2; exit 1; }
  python=$(realpath --no-symlinks "$found")
else
  folder=$(realpath --canonicalize-missing "${1:?usage: check.sh FOLDER, or PYTHON=... check.sh}")
fi
cd "$(dirname "$0")/.."
if [ -z "${PYTHON:-}" ]; then
  python3 -m venv "$folder/venv"
  python="$folder/venv/bin/python"
  "$python" -m pip install --quiet --upgrade pip
  if [ -n "${TORCH_INDEX:-}" ]; then "$python" -m pip install --quiet torch --index-url "$TORCH_INDEX"; fi
  "$python" -m pip install --quiet . --group dev
fi

"$python" -m ruff format --check
"$python" -m ruff check
"$python" -m pytest tests/test_teacher.py tests/test_losses.py tests/test_data.py tests/test_pages.py tests/test_probe.py \
  tests/test_base.py tests/test_nano.py
