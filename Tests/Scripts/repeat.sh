#!/bin/bash
# Runs are found again and repeated: what a killed search, a training that went on beyond its end, a fine-tuned one, a measurement and a sweep leave, lists,
# comparisons, and the event files as TensorBoard reads them. TRELLIS names the program.
set -u
cd "$(dirname "$0")/../.."
. scripts/setup.sh
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
scripts=$PWD/scripts
check=$PWD/Tests/References/tensorboard_check.py
python=$(trellis_python tensorboard tensorboard==2.21.0 numpy protobuf absl-py packaging grpcio typing_extensions setuptools werkzeug markupsafe) && python=$PWD/$python || python=
work=$(mktemp -d)
process=
trap '[ -n "$process" ] && kill -KILL "$process" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1

fail() {
    echo "repeat: $1"
    [ -n "${2:-}" ] && cat "$2"
    exit 1
}
says() { grep -q -- "$2" "$1" || fail "it does not say '$2'" "$1"; }
shapes="--images 16 --size 32x32 --classes 3"
search() {
    exec "$trellis" "$scripts/search.lua" $shapes --layers 3 --strides 4,8 --blocks 1 --filters 2 --operators none,skip_connect,sep_conv_3x3 --crop 24 --batch 2 --threads 1 "$@"
}

# A search that is killed, and repeated.
search --epochs 4 --arch-from 1 --out search >search.txt 2>&1 &
process=$!
for ((i = 0; i < 6000; i++)); do [ "$(wc -l 2>/dev/null <search/log.csv)" -ge 2 ] 2>/dev/null && break; sleep 0.01; done
kill -KILL "$process"
wait "$process" 2>/dev/null
process=
[ -e search/log.csv ] || fail "the search left no log" search.txt
"$trellis" runs >list.txt || fail "listing" list.txt
says list.txt "^search  *search  *killed  *[1-4] of 4 epochs"
"$trellis" runs repeat search >again.txt 2>&1 || fail "repeating a killed search" again.txt
says again.txt "the numbers are the same: [1-4] rows* of log.csv"
"$trellis" runs --where status=done --columns name,epochs,loss >list.txt && says list.txt "^search-repeat  *4 "
# With other settings they are not, and it says which; the machine's and the program's are named where they differ.
sed 's/"arch-lr": 0.02/"arch-lr": 0.03/' search-repeat/settings.json >other.json
cmp -s other.json search-repeat/settings.json && fail "settings.json has no arch-lr" other.json
cp other.json search-repeat/settings.json
"$trellis" runs repeat search-repeat/ --out other >other.txt 2>&1 && fail "other settings came to the same numbers" other.txt
says other.txt "the numbers differ: line [0-9]* of log.csv: "
"$trellis" runs --compare >table.txt && says table.txt "arch-lr"
echo '{"epochz": 3}' >bad.json
(search --config bad.json) >bad.txt 2>&1 && fail "a wrong option in a file"
says bad.txt "bad.json: 'epochz' is none of the options, did you mean 'epochs'?"

# A training goes on beyond its end, a network is trained on with other classes; both are repeated by doing the same.
train() { "$trellis" "$scripts/retrain.lua" "$@" --threads 1; }
small="--filters 2 --widths 4,6,8,4,8"
train search-repeat/architecture.json $shapes $small --crop 32x32 --batch 4 --epochs 2 --out model >model.txt 2>&1 || fail "a training" model.txt
train --out model --resume --epochs 4 >longer.txt 2>&1 || fail "a training beyond its end" longer.txt
says longer.txt "goes on from step 8 to 16, it was to end at 8; the learning rate is that of a run of 16 steps: "
(train --out model --resume --epochs 3) >shorter.txt 2>&1 && fail "a training that ends before where it is" shorter.txt
"$trellis" runs repeat model >again.txt 2>&1 || fail "repeating a training" again.txt
says again.txt "the numbers are the same: 4 rows of log.csv, the results accuracy"
train --from model/best --images 16 --size 32x32 --classes 5 --crop 32x32 --batch 4 --epochs 1 --out tuned >tuned.txt 2>&1 || fail "fine-tuning" tuned.txt
says tuned.txt "model/best, for 5 classes instead of 3: [0-9]* of its tensors; new are "
"$trellis" runs repeat tuned >again.txt 2>&1 || fail "repeating what was fine-tuned" again.txt
says again.txt "the numbers are the same: 1 row of log.csv"
(train --from model/best --filters 4) >wrong.txt 2>&1 && fail "--filters of a network that has its own"
"$trellis" "$scripts/evaluate.lua" model/best --flip >evaluation.txt 2>&1 || fail "measuring" evaluation.txt
"$trellis" runs repeat evaluation >again.txt 2>&1 || fail "repeating a measurement" again.txt
says again.txt "the numbers are the same: the results accuracy"

# A search goes on beyond its end.
(search --out search-repeat --resume --epochs 5) >longer.txt 2>&1 || fail "a search beyond its end" longer.txt
says longer.txt "it was begun with 4 epochs; the learning rate of the weights is that of a run of 5: "

# A sweep; a setting that fails is said, and costs nothing but itself.
sweep() { "$trellis" "$scripts/sweep.lua" retrain.lua search-repeat/architecture.json --seeds 1,2 --vary "lr=0.01,1e30" --out sweep "$@"; }
sweep -- $shapes $small --crop 32x32 --batch 4 --epochs 1 --threads 1 >sweep.txt 2>&1 || fail "a sweep" sweep.txt
says sweep.txt "lr=0.01  miou 0[.0-9]* ± [0-9.e-]*, 2 seeds"
says sweep.txt "lr=1e30  all of its runs failed"
says sweep.txt "best: lr=0.01"
[ "$(wc -l <sweep/sweep.csv)" -eq 5 ] || fail "rows of the sweep" sweep/sweep.csv
"$trellis" runs sweep --where kind=training --sort=-seed >list.txt && says list.txt "failed"
"$trellis" "$scripts/sweep.lua" --out sweep --resume >resumed.txt 2>&1 || fail "going on with a sweep" resumed.txt
says resumed.txt "best: lr=0.01"

# TensorBoard's own reader.
if [ -n "$python" ]; then
    "$python" "$check" search-repeat model || fail "TensorBoard reads something else"
else
    echo "repeat: TensorBoard's reader is not here (the Python package tensorboard): its files were read by ours alone"
fi

# A thousand in less than a second.
mkdir many
for ((i = 1; i <= 1000; i++)); do mkdir "many/$i" && sed "s/\"seed\": [0-9]*/\"seed\": $i/" model/run.json >"many/$i/run.json"; done
"$trellis" runs many --where 'seed>500' >many.txt || fail "listing a thousand" many.txt
[ "$(wc -l <many.txt)" -eq 501 ] || fail "half of a thousand runs" many.txt
"$trellis" -e 'local best = math.huge for i = 1, 3 do local start = os.clock() assert(#nas.runs("many") == 1000) tostring(nas.runs("many")) best = math.min(best, (os.clock() - start) / 2) end
    print(("repeat: a thousand runs in %.2f s"):format(best)) assert(best < 1, best)' || fail "a thousand runs take longer than a second"
echo "repeat: runs are found, compared, gone on with and repeated"
