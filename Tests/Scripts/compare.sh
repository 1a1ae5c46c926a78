#!/bin/bash
# A tiny comparison on the built-in scenes, whole and killed (SIGKILL) in the middle of a training and resumed: the same results.
# TRELLIS names the program.
set -u
cd "$(dirname "$0")/../.."
trellis=${TRELLIS:-.build/release/trellis}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compare() {
    exec "$trellis" scripts/compare.lua --images 16 --size 32x32 --classes 3 --layers 4 --strides 4,8,16 --blocks 2 --search-filters 2 --filters 2 \
        --operators none,skip_connect,sep_conv_3x3,atrous_conv_3x3 --search-epochs 2 --search-crop 24 --search-batch 2 --steps 16 --batch 2 --crop 32x32 \
        --stem 4 --aspp 6 --low-level 4 --decoder 6 --random 3 --repeats 2 "$@"
}
fail() { echo "compare: $1"; [ -n "${2:-}" ] && cat "$2"; exit 1; }

(compare --out "$work/whole") >"$work/whole.txt" 2>&1 || fail "the comparison failed" "$work/whole.txt"
[ "$(wc -l <"$work/whole/results.csv")" -eq 8 ] || fail "7 runs expected" "$work/whole/results.csv"
for kind in found random conv_deconv deeplab_v3; do grep -q ",$kind," "$work/whole/results.csv" || fail "no run of $kind" "$work/whole/results.csv"; done
grep -q "the random median" "$work/whole.txt" || fail "nothing is said of the random median" "$work/whole.txt"
for name in comparison.svg comparison.png results.json; do [ -s "$work/whole/$name" ] || fail "no $name"; done

compare --out "$work/killed" >"$work/killed.txt" 2>&1 &
process=$!
# As soon as the second run has a checkpoint.
for ((i = 0; i < 6000; i++)); do
    [ -e "$work/killed/runs/random-1/checkpoint.safetensors" ] && break
    kill -0 "$process" 2>/dev/null || fail "it ended before its kill" "$work/killed.txt"
    sleep 0.01
done
kill -KILL "$process" 2>/dev/null || fail "it ended before its kill" "$work/killed.txt"
wait "$process" 2>/dev/null
(compare --out "$work/killed" --resume) >"$work/resumed.txt" 2>&1 || fail "resuming failed" "$work/resumed.txt"
cmp "$work/whole/results.csv" "$work/killed/results.csv" || fail "the resumed comparison differs" "$work/resumed.txt"
echo "compare: 7 runs, killed and resumed with the same results"
