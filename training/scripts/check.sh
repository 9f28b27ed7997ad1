#!/usr/bin/env bash
# Installs the trainer with the CPU's torch in a virtual environment in FOLDER, and checks the format, lint and quick tests.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath "${1:?usage: check.sh FOLDER}")

python3 -m venv "$folder/venv"
export PATH="$folder/venv/bin:$PATH"
python -m pip install --quiet --upgrade pip
# The wheels of PyPI bring CUDA, 5 GB.
python -m pip install --quiet torch --index-url https://download.pytorch.org/whl/cpu
python -m pip install --quiet . --group dev

ruff format --check
ruff check
pytest tests/test_teacher.py tests/test_losses.py tests/test_data.py tests/test_pages.py tests/test_probe.py \
  tests/test_base.py tests/test_nano.py
