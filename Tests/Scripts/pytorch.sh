#!/usr/bin/env bash
# Functions, layers and networks as PyTorch code, side by side with Trellis: scores and gradients; of networks, with weights by which rounding stays small, also ten
# steps of SGD, all in evaluation and in training, to 1e-4, running statistics, and the way back. Tests/References/pytorch_check.py says where training may be further off.
# Without TORCH_PY, which names a python with torch, only the text is looked at.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/setup.sh
trellis=${TRELLIS:-.build/release/trellis}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$trellis" Tests/References/pytorch_cases.lua "$([ -n "${TORCH_PY:-}" ] && echo write || echo text)" "$out"
find "$out" -name network.py -exec python3 -m py_compile {} +
# The text for one of the found networks is kept, so that a change of it is seen.
diff <(sed 's/written by Trellis .*/written by Trellis./' "$out/found_1/network.py") Tests/References/pytorch_found.py
[ -n "${TORCH_PY:-}" ] || { echo "the code compiles and is as it was; skipped: TORCH_PY names no python with torch (python3 -m venv v && v/bin/pip install torch numpy)"; exit 0; }
"$TORCH_PY" Tests/References/pytorch_check.py "$out"
"$trellis" Tests/References/pytorch_cases.lua back "$out"
