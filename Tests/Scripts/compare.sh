#!/bin/bash
# A tiny comparison on the built-in scenes: its plan said before and held to; whole, and by two processes of which one is killed (SIGKILL) in the middle of a training, gone on with:
# the same results. TRELLIS names the program.
set -u
cd "$(dirname "$0")/../.."
trellis=${TRELLIS:-.build/release/trellis}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tiny="--images 16 --size 32x32 --classes 3 --layers 4 --strides 4,8,16 --blocks 2 --search-filters 2 --filters 2 --operators none,skip_connect,sep_conv_3x3,atrous_conv_3x3
    --search-epochs 2 --search-crop 24 --search-batch 2 --steps 16 --batch 2 --crop 32x32 --stem 4 --aspp 6 --low-level 4 --decoder 6 --random 2 --repeats 2
    --methods paper,recommended --search-trial-steps 8 --search-trainings 2"
compare() { exec "$trellis" scripts/compare.lua "$@"; }
fail() { echo "compare: $1"; [ -n "${2:-}" ] && cat "$2"; exit 1; }

(compare $tiny --dry-run --out "$work/plan") >"$work/plan.txt" 2>&1 || fail "the plan failed" "$work/plan.txt"
plan=$(sed -n 's/^plan \([0-9a-f]*\),.*/\1/p' "$work/plan.txt")
[ -n "$plan" ] || fail "no hash of the plan" "$work/plan.txt"
grep -q "hours on this machine" "$work/plan.txt" || fail "it does not say how long it takes" "$work/plan.txt"
[ -e "$work/plan/run.json" ] && fail "the plan began a run"
(compare --config "$work/plan/plan.json" --seed 2 --plan "$plan" --out "$work/other") >"$work/other.txt" 2>&1 && fail "another plan was run"
grep -q "with --plan only that one runs" "$work/other.txt" || fail "nothing is said of the plan" "$work/other.txt"

(compare --config "$work/plan/plan.json" --plan "$plan" --out "$work/whole") >"$work/whole.txt" 2>&1 || fail "the comparison failed" "$work/whole.txt"
# Two found, two known, two random, with two seeds, each at equal parameters and at equal multiply-adds.
[ "$(wc -l <"$work/whole/results.csv")" -eq 25 ] || fail "24 rows expected" "$work/whole/results.csv"
[ "$(wc -l <"$work/whole/architectures.csv")" -eq 13 ] || fail "12 means expected" "$work/whole/architectures.csv"
for kind in paper recommended random conv_deconv deeplab_v3; do grep -q ",$kind,multiply_adds,2," "$work/whole/results.csv" || fail "no run of $kind" "$work/whole/results.csv"; done
grep -q "\"plan\": \"$plan\"" "$work/whole/results.json" || fail "the results do not say of which plan they are" "$work/whole/results.json"
for name in comparison.svg comparison.png; do [ -s "$work/whole/$name" ] || fail "no $name"; done

compare --config "$work/plan/plan.json" --out "$work/killed" --threads 1 >"$work/killed.txt" 2>&1 &
process=$!
# As soon as a training has a checkpoint; another process takes part from then on.
for ((i = 0; i < 6000; i++)); do
    compgen -G "$work/killed/runs/random-1-*-1/checkpoint.safetensors" >/dev/null && break
    kill -0 "$process" 2>/dev/null || fail "it ended before its kill" "$work/killed.txt"
    sleep 0.01
done
compare --join --out "$work/killed" --threads 1 >"$work/joined.txt" 2>&1 &
other=$!
sleep 0.3
kill -KILL "$process" 2>/dev/null || fail "it ended before its kill" "$work/killed.txt"
wait "$process" 2>/dev/null
wait "$other" || fail "the process that joined failed" "$work/joined.txt"
(compare --out "$work/killed" --resume) >"$work/resumed.txt" 2>&1 || fail "resuming failed" "$work/resumed.txt"
for name in results.csv architectures.csv results.json; do cmp "$work/whole/$name" "$work/killed/$name" || fail "$name of the resumed comparison differs" "$work/resumed.txt"; done
echo "compare: a plan, its trainings by two processes, killed and resumed with the same results"
