#!/bin/bash
# Exported networks are valid ONNX, and ONNX Runtime computes within 1e-4 what Trellis computes, for several batches.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/setup.sh
python=$(trellis_python onnx numpy onnx==1.23.2 onnxruntime==1.32.0 protobuf ml_dtypes typing_extensions flatbuffers packaging) ||
    trellis_skip "needs the Python packages onnx and onnxruntime"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trellis=${TRELLIS:-.build/release/trellis}
"$trellis" Tests/References/onnx_cases.lua "$folder" || exit 1

# The command: an architecture into a directory of three files, and that directory, a model by now, for another size.
export="$trellis scripts/export.lua"
$export auto_deeplab --filters 1 --classes 3 --size 33x49 --out "$folder/model" >/dev/null || exit 1
[ -e "$folder/model/network.onnx" ] && [ -e "$folder/model/weights.safetensors" ] && [ -e "$folder/model/card.json" ] || { echo "failed: not all files" >&2; exit 1; }
$export "$folder/model" --size 40x37 >/dev/null || exit 1
says() {
    local words=$1 output
    shift
    if output=$("$@" 2>&1) || ! grep -q "$words" <<<"$output"; then
        echo "failed: '$*' should fail and say '$words', it said: $output" >&2
        exit 1
    fi
}
says 'none of nas.gallery: .*auto_deeplab' $export auto_deeplap
says 'has its own' $export "$folder/model" --filters 2
"$trellis" - "$folder/model" <<'LUA' || exit 1
local network, arrays = nas.network(arg[1]):eval(), {}
assert(network:card().counts.height == 33)
for _, batch in ipairs{1, 2, 5} do
  local images = tensor.randn(batch, 3, 40 + 9 * batch, 37 + 2 * batch, {seed = batch})
  arrays["images_" .. batch], arrays["output_" .. batch] = images, trellis.no_grad(function() return network(images):clone() end)
end
tensor.save(arg[1] .. "/network.npz", arrays)
LUA

"$python" Tests/References/onnx_check.py "$folder" && "$python" Tests/References/onnx_check.py "$folder/model"
