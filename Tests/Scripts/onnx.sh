#!/bin/bash
# Exported networks are valid ONNX, and ONNX Runtime computes within 1e-4 what Trellis computes, for several batches.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/setup.sh
python=$(trellis_python onnx numpy onnx==1.23.2 onnxruntime==1.32.0 protobuf ml_dtypes typing_extensions flatbuffers packaging) || {
    [ -z "${CI:-}" ] || exit 1
    echo "skipped: needs the Python packages onnx and onnxruntime"
    exit 0
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
scripts/trellis Tests/References/onnx_cases.lua "$folder" && "$python" Tests/References/onnx_check.py "$folder"
