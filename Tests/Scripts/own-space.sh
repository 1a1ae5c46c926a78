#!/bin/bash
# A space of one's own through the scripts: searched, killed and resumed with the same results, reported, retrained, measured, exported, compared.
# TRELLIS names the program.
set -u
cd "$(dirname "$0")/../.."
trellis=${TRELLIS:-.build/release/trellis}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "own-space: $1"; [ -n "${2:-}" ] && cat "$2"; exit 1; }

cat >"$work/mine.lua" <<'LUA'
local space = nas.space(function(c)
  local rates = nas.subset("rates", {1, 2}, {least = 1, most = 2})
  local net = {
    stem = nas.parts.stem{channels = 4}, around = {}, head = nn.conv2d(4, c.classes, {kernel = 1}),
    mixed = nas.mix(nas.choice("op/1", {"none", "skip_connect", "sep_conv_3x3"}), function(name) return nas.parts.operator(name, 4) end),
  }
  for i, rate in ipairs(rates.options) do
    if rates:on(i) then net.around[i] = nn.conv2d(4, 4, {kernel = 3, padding = rate, dilation = rate}) end
  end
  function net.forward(self, x)
    local h, terms = self.mixed(self.stem(x)), {}
    for i in ipairs(rates.options) do terms[i] = nas.when(rates:weight(i), function() return self.around[i](h) end) end
    return nn.functional.resize(self.head(nas.sum(terms)), {size = {x.shape[3], x.shape[4]}})
  end
  return nn.module(net, {name = "mine"})
end, {classes = 2})
return space, {relax = {rates = nas.sigmoid()}}
LUA
data=(--images 16 --size 32x32 --classes 3)
search() { exec "$trellis" scripts/search.lua --space "$work/mine.lua" "${data[@]}" --crop 32x32 --batch 2 --epochs 4 --arch-from 1 "$@"; }

(search --out "$work/whole") >"$work/whole.txt" 2>&1 || fail "the search failed" "$work/whole.txt"
for name in report.html architecture.json log.csv space.svg decisions.png curves.svg images.png history.safetensors; do [ -s "$work/whole/$name" ] || fail "no $name" "$work/whole.txt"; done
grep -q "how the decisions went\|How the decisions went" "$work/whole/report.html" || fail "the report says nothing of the decisions"
grep -q "op/1" "$work/whole/report.html" || fail "the report does not name op/1"
(search --layers 3 --out "$work/none") >"$work/none.txt" 2>&1 && fail "--layers was taken"
grep -q "is of the stock trellis" "$work/none.txt" || fail "nothing is said of --layers" "$work/none.txt"

search --out "$work/killed" >"$work/killed.txt" 2>&1 &
process=$!
for ((i = 0; i < 6000; i++)); do
    [ -e "$work/killed/checkpoint.safetensors" ] && break
    kill -0 "$process" 2>/dev/null || break
    sleep 0.01
done
kill -KILL "$process" 2>/dev/null
wait "$process" 2>/dev/null
(search --out "$work/killed" --resume) >"$work/resumed.txt" 2>&1 || fail "resuming failed" "$work/resumed.txt"
cmp "$work/whole/log.csv" "$work/killed/log.csv" || fail "the resumed log differs" "$work/resumed.txt"
cmp "$work/whole/architecture.json" "$work/killed/architecture.json" || fail "the resumed architecture differs"

retrain() { exec "$trellis" scripts/retrain.lua "$work/whole/architecture.json" "${data[@]}" --crop 32x32 --batch 2 --epochs 2 --out "$work/model" "$@"; }
(retrain) >"$work/refused.txt" 2>&1 && fail "a script ran unasked"
grep -q "no file runs code unasked" "$work/refused.txt" || fail "nothing is said of the script" "$work/refused.txt"
(retrain --run-script) >"$work/retrain.txt" 2>&1 || fail "retraining failed" "$work/retrain.txt"
"$trellis" scripts/evaluate.lua "$work/model/best" >"$work/refused.txt" 2>&1 && fail "a card's script ran unasked"
grep -q -- "--run-script" "$work/refused.txt" || fail "nothing is said of --run-script" "$work/refused.txt"
"$trellis" scripts/evaluate.lua "$work/model/best" --run-script --out "$work/evaluation" >"$work/evaluate.txt" 2>&1 || fail "measuring failed" "$work/evaluate.txt"
"$trellis" scripts/export.lua "$work/model/best" --run-script --size 32x32 >"$work/export.txt" 2>&1 || fail "the export failed" "$work/export.txt"
[ -s "$work/model/best/network.onnx" ] || fail "no network.onnx"

"$trellis" scripts/compare.lua --space "$work/mine.lua" "${data[@]}" --search-epochs 2 --search-crop 32 --search-batch 2 --steps 8 --batch 2 --crop 32x32 --random 2 --repeats 1 \
    --out "$work/compare" >"$work/compare.txt" 2>&1 || fail "the comparison failed" "$work/compare.txt"
[ "$(wc -l <"$work/compare/results.csv")" -eq 4 ] || fail "3 runs expected" "$work/compare/results.csv"
echo "own-space: searched, resumed, reported, retrained, measured, exported, compared"
