#!/bin/bash
# Runs of the main jobs do not mix, lose nothing and say what is kept: two with one directory, kills, Ctrl-C, NaN, another run's files; and a folder of
# one's own images on the whole way from search to export. TRELLIS names the program.
set -u
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
scripts=$PWD/scripts
work=$(mktemp -d)
process=
trap '[ -n "$process" ] && kill -KILL "$process" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1

fail() {
    echo "runs: $1"
    [ -n "${2:-}" ] && cat "$2"
    exit 1
}
says() { grep -q -- "$2" "$1" || fail "it does not say '$2'" "$1"; }
search() {
    exec "$trellis" "$scripts/search.lua" --images 16 --size 32x32 --classes 3 --layers 3 --strides 4,8 --blocks 1 --filters 2 \
        --operators none,skip_connect,sep_conv_3x3 --crop 24 --batch 2 --arch-from 1 --threads 1 "$@"
}
# A search that goes on for long, once its first checkpoint is there.
start() {
    search --epochs 100000 "$@" >started.txt 2>&1 &
    process=$!
    for ((i = 0; i < 3000; i++)); do
        [ -e "$directory/history.safetensors" ] && return
        kill -0 "$process" 2>/dev/null || fail "the search ended" started.txt
        sleep 0.01
    done
    fail "the search left no checkpoint" started.txt
}

# One directory, one run: the second is refused, or takes the next name.
directory=search start
(search --epochs 2 --out search --resume) >second.txt 2>&1 && fail "a second run wrote into the directory of the first" second.txt
says second.txt "search: process $process on this machine writes into it since"
(search --epochs 1) >next.txt 2>&1 || fail "a search beside another failed" next.txt
says next.txt "results in search-2: "

# Ctrl-C: one line that says what is kept and how to go on, and status 130.
kill -INT "$process"
wait "$process"
[ $? -eq 130 ] || fail "Ctrl-C did not end with 130" started.txt
says started.txt "interrupted: [0-9]* of 100000 epochs.* are kept in search; go on with: trellis .*search.lua --out search --resume"
grep -q traceback started.txt && fail "Ctrl-C prints a trace" started.txt
[ -e search/run.lock ] && fail "the lock of a run that ended is left"

# The same of a training and of a comparison.
interrupted() {
    local left=$1 words=$2
    shift 2
    "$trellis" "$@" --threads 1 >started.txt 2>&1 &
    process=$!
    for ((i = 0; i < 3000; i++)); do [ -e "$left" ] && break; sleep 0.01; done
    sleep 0.2
    kill -INT "$process"
    wait "$process"
    [ $? -eq 130 ] || fail "Ctrl-C did not end with 130" started.txt
    says started.txt "interrupted: $words"
    grep -q traceback started.txt && fail "Ctrl-C prints a trace" started.txt
    process=
}
shapes="--images 16 --size 32x32 --classes 3 --filters 2 --crop 32x32 --batch 4"
interrupted trained/checkpoint.safetensors '[0-9]* steps are kept in trained; go on with: trellis .*retrain.lua --out trained --resume' \
    "$scripts/retrain.lua" search-2/architecture.json $shapes --widths 4,6,8,4,8 --epochs 100000 --out trained
interrupted compared/runs/found-1/checkpoint.safetensors 'what is done is kept in compared; go on with: trellis .*compare.lua --out compared --resume' \
    "$scripts/compare.lua" $shapes --layers 3 --strides 4,8 --blocks 1 --operators skip_connect,sep_conv_3x3 --search-filters 2 --search-epochs 1 \
    --search-crop 24 --search-batch 2 --steps 20000 --out compared

# SIGKILL: the lock of a dead process is taken over with a word.
rm -r search
directory=search start --out search
kill -KILL "$process"
wait "$process" 2>/dev/null
[ -e search/run.lock ] || fail "the killed run had no lock"
search --out search --resume >taken.txt 2>&1 &
process=$!
for ((i = 0; i < 500; i++)); do grep -qs "taken over" taken.txt && break; sleep 0.02; done
says taken.txt "search: taken over from process"
kill -INT "$process"
wait "$process"
process=

# No names but those of results, though runs were killed; names that look like options are names.
(search --epochs 1 --out -dash) >dash.txt 2>&1 || fail "a directory called -dash" dash.txt
[ -e ./-dash/report.html ] || fail "no results in -dash"
find . -name '*.part' -o -name '*.tmp' | grep . && fail "files are left of writers"

# NaN: the run ends with an error that names the place; no architecture, the checkpoint before stays.
(search --epochs 4 --lr 1e30 --clip 1e30 --out wild) >wild.txt 2>&1 && fail "a search with NaN ended well" wild.txt
says wild.txt "epoch 1, step 2 of 4: step: the loss is nan at step 2 of sgd: first infinity in stem.1"
[ -e wild/architecture.json ] && fail "an architecture was written of NaN"
(search --epochs 4 --arch-lr 3e38 --out late) >late.txt 2>&1 && fail "a search with infinite alpha ended well" late.txt
says late.txt "the checkpoint of epoch 1 is kept in late"
[ -e late/architecture.json ] && fail "an architecture was written of NaN"
"$trellis" -e 'local c = checkpoint.load("late/checkpoint.safetensors") assert(c.epoch == 1) for _, t in pairs(tensor.load("late/checkpoint.safetensors")) do
    if t.dtype == "float32" and t.count > 0 then local s = t:sum():item() assert(s == s and math.abs(s) < math.huge) end end' || fail "the checkpoint holds NaN"

# Another run's checkpoint is not continued, its log not overwritten.
(search --epochs 2 --out one) >/dev/null 2>&1 && (search --epochs 2 --seed 2 --out two) >/dev/null 2>&1 || fail "two searches"
cp two/checkpoint.safetensors one/ && cp one/log.csv log.csv
(search --epochs 2 --seed 2 --out one --resume) >mixed.txt 2>&1 && fail "the checkpoint of another run was continued" mixed.txt
says mixed.txt "one/log.csv is the log of another run than the checkpoint"
cmp one/log.csv log.csv || fail "the log of a run was overwritten"
rm one/log.csv
(search --epochs 2 --seed 2 --out one --resume) >mixed.txt 2>&1 && fail "the checkpoint of another run was continued" mixed.txt
says mixed.txt "one/history.safetensors is of another run"

# A run of before there were checksums, identities, a seed of the data and another reach than the paper's goes on as it was.
directory=old start --out old --head-reach 96
kill -INT "$process"
wait "$process"
process=
"$trellis" - <<'LUA' || fail "making a run of before"
local path = "old/checkpoint.safetensors"
local tensors, metadata = tensor.load(path)
local text, changes = metadata["trellis.checkpoint"], 0
for _, what in ipairs{'"data_seed":1,', '"head_reach":96,', '"run":"%x+",', ',"names":"%x+"'} do
  local n
  text, n = text:gsub(what, "")
  changes = changes + n
end
assert(changes == 5, changes)
metadata["trellis.checkpoint"] = text
tensor.save(path, tensors, {metadata = metadata})
tensors, metadata = tensor.load("old/history.safetensors")
metadata.run = nil
tensor.save("old/history.safetensors", tensors, {metadata = metadata})
LUA
before=$(wc -l <old/log.csv)
search --out old --resume >old.txt 2>&1 &
process=$!
for ((i = 0; i < 3000; i++)); do [ "$(wc -l <old/log.csv)" -gt "$before" ] && break; sleep 0.01; done
kill -INT "$process"
wait "$process"
process=
says old.txt "old/checkpoint.safetensors: no checksums"
[ "$(wc -l <old/log.csv)" -gt "$before" ] || fail "a run of before does not go on" old.txt
says old.txt "interrupted: "

# A folder of one's own: twenty images with four classes, the way of a newcomer.
"$trellis" - <<'LUA' || fail "making the folder"
for _, name in ipairs{"own/images", "own/labels"} do files.make_directory(name) end
local set = data.shapes{images = 20, size = {48, 64}, classes = 4, seed = 5}
local net = nn.conv2d(3, 4, {kernel = 1})
for i = 1, #set do
  local image, labels = set:sample(i)
  net:segment(image, {overlay = ("own/images/%02d.png"):format(i), opacity = 0})
  set:save_labels(labels, ("own/labels/%02d.png"):format(i))
end
LUA
own="--data folder --dir own --threads 1"
search_own() { "$trellis" "$scripts/search.lua" $own --layers 3 --strides 4,8 --blocks 1 --filters 2 --crop 32 --batch 2 --epochs 3 --operators none,skip_connect,sep_conv_3x3 "$@"; }
train_own() { "$trellis" "$scripts/retrain.lua" found/architecture.json $own --filters 2 --widths 4,6,8,4,8 --crop 32 --batch 4 --epochs 2 "$@"; }
search_own --out found >own.txt 2>&1 || fail "a search on a folder" own.txt
says own.txt "own: 4 classes, 0 to 3, by its labels"
train_own --out model >model.txt 2>&1 || fail "a training on a folder" model.txt
train_own --out model2 --seed 2 >model2.txt 2>&1 || fail "a training on a folder with another seed" model2.txt
# Both are measured on the same images: those that were held out.
measure() { "$trellis" "$scripts/evaluate.lua" "$@" 2>/dev/null; }
measure model/best >a.txt || fail "measuring" a.txt
says a.txt "folder: 4 images"
grep -q warning a.txt && fail "the images that were held out are called into doubt" a.txt
pixels() { awk '/^class [0-9]/ { print $2, $NF }' "$1"; }
measure model2/best >b.txt || fail "measuring" b.txt
[ "$(pixels a.txt)" = "$(pixels b.txt)" ] || fail "--seed moves the images that are measured" b.txt
measure model/best --split all >all.txt && says all.txt "warning: folder all has images that it was trained on"
measure model/best --data-seed 9 >other.txt && says other.txt "warning: folder val has images that it was trained on: [1-4] of 4"
measure model/best --split nonsense && fail "a split that is not there"
measure model/best --data shapes --classes 4 --split nonsense && fail "a split of shapes that is not there"
# What segmenting writes is not beside the images, so the folder is a data set still.
"$trellis" "$scripts/segment.lua" own/images/*.png --model model/best >segment.txt 2>&1 || fail "segmenting" segment.txt
[ "$(ls own/images | wc -l)" -eq 20 ] && [ "$(ls segmented | wc -l)" -eq 40 ] || fail "pictures beside the images"
measure model/best | cmp - a.txt || fail "measuring again gives another result"
"$trellis" "$scripts/export.lua" model/best --out exported >export.txt 2>&1 || fail "exporting" export.txt
says export.txt "images \[batch, 3, height, width\]"
"$trellis" "$scripts/export.lua" model/best --one-size --out exported >export.txt 2>&1 || fail "exporting for one size" export.txt
says export.txt "images \[batch, 3, 48, 64\]"
says export.txt "images of 48x64 only"
"$trellis" "$scripts/report.lua" found page.html >/dev/null || fail "the report"
echo "runs: one directory, one run; kills, Ctrl-C, NaN, other runs' files and a folder of one's own"
