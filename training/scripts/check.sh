#!/usr/bin/env bash
# Installs the trainer in a virtual environment in FOLDER, and checks the format, lint and quick tests.
# With TORCH_INDEX, an index of wheels such as https://download.pytorch.org/whl/cpu, torch comes without CUDA.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath "${1:?usage: check.sh FOLDER}")

python3 -m venv "$folder/venv"
export PATH="$folder/venv/bin:$PATH"
python -m pip install --quiet --upgrade pip
if [ -n "${TORCH_INDEX:-}" ]; then python -m pip install --quiet torch --index-url "$TORCH_INDEX"; fi
python -m pip install --quiet . --group dev

ruff format --check
ruff check
pytest tests/test_teacher.py tests/test_losses.py tests/test_data.py tests/test_pages.py tests/test_probe.py \
  tests/test_base.py tests/test_nano.py
