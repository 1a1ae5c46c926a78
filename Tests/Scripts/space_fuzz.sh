#!/bin/bash
# Random spaces (space_fuzz.lua): what the networks of architectures are exported as is valid ONNX, and ONNX Runtime computes within 1e-4 what Trellis computes.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/setup.sh
python=$(trellis_python onnx numpy onnx==1.23.2 onnxruntime==1.32.0 protobuf ml_dtypes typing_extensions flatbuffers packaging) ||
    trellis_skip "needs the Python packages onnx and onnxruntime"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trellis=${TRELLIS:-.build/release/trellis}
prelude=$folder/prelude.lua
awk '/static let prelude = """/{found=1; next} found && /^ *"""/{exit} found' Tests/LuaHostTests/ScriptTests.swift >"$prelude"
TRELLIS_FUZZ=${TRELLIS_FUZZ:-24} TRELLIS_FUZZ_SEED=${TRELLIS_FUZZ_SEED:-101} TRELLIS_FUZZ_ONNX=$folder "$trellis" -e "dofile('$prelude')" Tests/Scripts/space_fuzz.lua || exit 1
"$python" Tests/References/onnx_check.py "$folder"
