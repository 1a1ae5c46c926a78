#!/bin/bash
# Searches by other methods than the paper's: killed after their first epoch and resumed, log and architecture are those of the run that nothing disturbed; a method of a
# script; a search by trainings; names that are none. TRELLIS names the program, METHODS the methods.
set -u
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
scripts=$PWD/scripts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

fail() {
    echo "methods: $1"
    [ -n "${2:-}" ] && cat "$2"
    exit 1
}
search() {
    exec "$trellis" "$scripts/search.lua" --images 16 --size 32x32 --classes 3 --layers 3 --strides 4,8 --blocks 1 --filters 2 \
        --operators none,skip_connect,sep_conv_3x3 --crop 24 --batch 2 --epochs 4 --arch-from 1 --trial-steps 8 --threads 1 "$@"
}

for method in ${METHODS:-single_path gdas fair_darts}; do
    (search --method "$method" --out "$method") >whole.txt 2>&1 || fail "the search by $method failed" whole.txt
    search --method "$method" --out killed >killed.txt 2>&1 &
    process=$!
    for ((i = 0; i < 6000; i++)); do
        [ -e killed/checkpoint.safetensors ] && break
        kill -0 "$process" 2>/dev/null || break
        sleep 0.01
    done
    kill -KILL "$process" 2>/dev/null
    wait "$process" 2>/dev/null
    (search --out killed --resume) >resumed.txt 2>&1 || fail "resuming the search by $method failed" resumed.txt
    for file in log.csv architecture.json; do cmp -s "$method/$file" "killed/$file" || fail "$file of $method differs after a kill"; done
    rm -rf killed
done

# Trainings instead of a supernet: killed while the third one goes on.
recommended() { search --method recommended --trial-steps 16 --trainings 3 "$@"; }
(recommended --out trained) >whole.txt 2>&1 || fail "the search by trainings failed" whole.txt
recommended --out killed >killed.txt 2>&1 &
process=$!
for ((i = 0; i < 6000; i++)); do
    [ -e killed/trainings/3/checkpoint.safetensors ] && break
    kill -0 "$process" 2>/dev/null || fail "it ended before its kill" killed.txt
    sleep 0.01
done
kill -KILL "$process" 2>/dev/null
wait "$process" 2>/dev/null
(recommended --out killed --resume) >resumed.txt 2>&1 || fail "resuming the search by trainings failed" resumed.txt
for file in log.csv architecture.json decisions.csv; do cmp -s "trained/$file" "killed/$file" || fail "$file of the search by trainings differs after a kill"; done
grep -q "paths, layer 1" trained/decisions.csv || fail "it does not say how sure its decisions are" trained/decisions.csv
grep -q "<svg" trained/report.html || fail "no picture on its page"
paid=$(tail -n 1 trained/log.csv | cut -d , -f 4)
[ "$paid" -le 48 ] && [ "$paid" -gt 40 ] || fail "$paid steps are paid of 48" trained/log.csv
(exec "$trellis" "$scripts/evaluate.lua" trained/model --images 16 --size 32x32 --classes 3) >evaluated.txt 2>&1 || fail "its model cannot be measured" evaluated.txt
rm -rf killed

cat >mine.lua <<'LUA'
return {about = "all at once, judged one by one", training = {logits = false}, decoding = {decode = function(run, space)
  local best, least
  for a in space:each() do
    local x, y = run.a:next()
    local loss = run.net:at(a):loss(x, y):item()
    if not least or loss < least then best, least = a, loss end
  end
  run.net:at(nil)
  return best
end}}
LUA
(search --method mine.lua --out mine) >mine.txt 2>&1 || fail "a method of a script failed" mine.txt
grep -q "all at once, judged one by one" mine.txt || fail "it does not say what the method is" mine.txt
[ -e mine/architecture.json ] || fail "it found nothing" mine.txt

(search --method nothing --out none) >none.txt 2>&1 && fail "a method that does not exist was taken"
grep -q "error: --method is a script that returns .*, or one of .*paper.*; got 'nothing'" none.txt || fail "it does not say which methods there are" none.txt
(search --method pc_darts --out none) >none.txt 2>&1 && fail "a method with a supernet of its own was taken"
grep -q "scripts/strategies.lua runs it" none.txt || fail "it does not say where that method runs" none.txt
grep -q stack none.txt && fail "a trace of scripts" none.txt
echo "methods: resumed as if nothing had been; own ones join by name"
