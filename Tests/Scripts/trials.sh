#!/bin/bash
# Four processes share trials. They are killed (SIGKILL) at random moments and started again, one has its clock set back by a day, and then the journal is cut at random places while
# they work: every trial is finished exactly once, and what comes out is what one process alone gets. TRELLIS names the program, KILLS the number of kills, CUTS that of cuts.
set -u
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
kills=${KILLS:-20}
cuts=${CUTS:-6}
work=$(mktemp -d)
trap 'kill -KILL ${processes[@]+"${processes[@]}"} 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
RANDOM=20261

# A trial is some steps of a moment each, with a checkpoint after each of them: its last line is the state of a generator. Whoever takes it up goes on from there.
cat > "$work/worker.lua" <<'LUA'
local out, count, pause = arg[1], tonumber(arg[2]), arg[3]
local space = nas.space(function()
  for i = 1, 4 do nas.choice('op.' .. i, {'a', 'b', 'c', 'd'}) end
  return nn.relu()
end)
for trial in nas.trials{strategy = nas.strategy.random(space, {seed = 7}), count = count, out = out, lease = 2} do
  local state = 0
  for i = 1, 4 do state = state * 4 + trial.architecture['op.' .. i]:byte() end
  local path, done = trial.directory .. '/state', 0
  local file = io.open(path)
  if file then
    done, state = file:read('n', 'n')
    file:close()
  end
  for step = done + 1, 5 do
    os.execute('sleep ' .. pause)
    state = (state * 1103515245 + 12345) % 2147483648
    files.write(path, ('%d %d\n'):format(step, state))
    trial:report(step, state / 2147483648)
  end
  -- Reports may be lost with the end of the journal, while the checkpoint is not.
  trial:finish{score = state / 2147483648, step = 5, cost = trial.number, values = {ops = {trial.architecture['op.1'], trial.architecture['op.2']}}}
end
LUA
# What came out: a line for each trial.
cat > "$work/show.lua" <<'LUA'
local out, count = arg[1], tonumber(arg[2])
local space = nas.space(function()
  for i = 1, 4 do nas.choice('op.' .. i, {'a', 'b', 'c', 'd'}) end
  return nn.relu()
end)
local strategy = nas.strategy.random(space, {seed = 7})
local trials = nas.trials{strategy = strategy, count = count, out = out}
for trial in trials do error('trial ' .. trial.number .. ' was not over') end
for _, trial in ipairs(trials.all) do print(trial.number, trial.architecture, trial.status, trial.score, trial.cost, trial.step, table.concat(trial.values.ops)) end
print('told', strategy:told(), 'best', strategy:best(), select(2, strategy:best()))
LUA

fail() { echo "trials: $*"; exit 1; }
start() { # SLOT DIRECTORY COUNT: a worker of its own process, which a kill meets
    TRELLIS_CLOCK=$(($1 == 2 ? -86400 : 0)) "$trellis" "$work/worker.lua" "$2" "$3" 0.05 >>"$work/log.$1" 2>&1 &
    processes[$1]=$!
}
moment() { sleep "0.$((RANDOM % 3))$((RANDOM % 10))"; }

# share NAME COUNT KILLS CUTS: four workers, disturbed so often; what comes out has to be what one process alone gets.
share() {
    local name=$1 count=$2 wanted=$3 cuts=$4 landed=0 cut=0 i slot size tries
    "$trellis" "$work/worker.lua" "$work/$name-alone" "$count" 0 || fail "one process alone failed"
    processes=()
    for i in 0 1 2 3; do start "$i" "$work/$name" "$count"; done
    for ((tries = 0; (landed < wanted || cut < cuts) && tries < 20 * (wanted + cuts + 1); tries++)); do
        moment
        if ((landed < wanted)); then
            slot=$((RANDOM % 4))
            if kill -KILL "${processes[slot]}" 2>/dev/null; then
                landed=$((landed + 1))
                wait "${processes[slot]}" 2>/dev/null
                start "$slot" "$work/$name" "$count"
            fi
        fi
        if ((cut < cuts)) && size=$(stat -c %s "$work/$name/journal.jsonl" 2>/dev/null) && ((size > 2)); then
            truncate -s $((1 + RANDOM % (size - 1))) "$work/$name/journal.jsonl"
            cut=$((cut + 1))
        fi
    done
    for i in 0 1 2 3; do wait "${processes[i]}" || { cat "$work/log.$i"; fail "a worker of $name failed"; }; done
    processes=()
    # The last cut may have come when all were done.
    "$trellis" "$work/worker.lua" "$work/$name" "$count" 0 2>>"$work/log.0" || fail "$name: one more worker failed"
    [ "$landed" -ge "$wanted" ] || fail "$name: only $landed of $wanted kills met a running worker"
    "$trellis" "$work/show.lua" "$work/$name-alone" "$count" >"$work/alone.txt" || fail "$name: the trials of one process were not over"
    "$trellis" "$work/show.lua" "$work/$name" "$count" >"$work/shared.txt" || fail "$name: the trials were not over"
    diff "$work/alone.txt" "$work/shared.txt" >"$work/diff.txt" || { cat "$work/diff.txt"; fail "$name: other results than those of one process"; }
    echo "trials: $name: $landed kills, $cut cuts, $count trials as one process has them"
}

share kills 60 "$kills" 0
finished=$(grep -c '"event":"finish"' "$work/kills/journal.jsonl")
[ "$finished" -eq 60 ] || fail "60 trials have $finished ends in the journal"
grep -q '"event":"claim"' "$work/kills/journal.jsonl" || fail "no trial was taken up"
share cuts 40 $((kills / 4)) "$cuts"

# All are dead, and the journal loses its end: what it still has counts, the rest is done again.
size=$(stat -c %s "$work/cuts/journal.jsonl")
for part in 3 2; do
    truncate -s $((size * part / 4)) "$work/cuts/journal.jsonl"
    "$trellis" "$work/worker.lua" "$work/cuts" 40 0 2>/dev/null || fail "going on after a cut failed"
    "$trellis" "$work/show.lua" "$work/cuts" 40 2>/dev/null >"$work/shared.txt" || fail "trials were not over after a cut"
    diff "$work/alone.txt" "$work/shared.txt" || fail "other results after a cut"
done
echo "trials: a journal without its end: as before"

# A disk that is full: an error, and nothing is lost.
(
    trap '' XFSZ
    ulimit -f 16
    "$trellis" "$work/worker.lua" "$work/full" 40 0
) 2>&1 | cat >"$work/full.txt"
grep -q "cannot write: File too large" "$work/full.txt" || fail "a full disk is no error: $(cat "$work/full.txt")"
before=$(grep -c '"event":"finish"' "$work/full/journal.jsonl")
"$trellis" "$work/worker.lua" "$work/full" 40 0 2>/dev/null || fail "going on after a full disk failed"
"$trellis" "$work/show.lua" "$work/full" 40 2>/dev/null >"$work/shared.txt" && diff "$work/alone.txt" "$work/shared.txt" || fail "other results after a full disk"
[ "$before" -gt 5 ] && [ "$(grep -c '"event":"finish"' "$work/full/journal.jsonl")" -eq 40 ] || fail "a full disk lost results"
echo "trials: after a full disk as before"

# A worker of another machine that is gone without a word: its trial is taken up when its lease is over.
TRELLIS_MACHINE=elsewhere "$trellis" "$work/worker.lua" "$work/far" 1 60 >/dev/null 2>&1 &
processes=($!)
until grep -qs '"event":"ask"' "$work/far/journal.jsonl"; do sleep 0.1; done
kill -KILL "${processes[0]}"
"$trellis" "$work/worker.lua" "$work/far" 1 0 || fail "the trial of another machine was not taken up"
grep -q '"event":"claim"' "$work/far/journal.jsonl" || fail "the trial of another machine was not taken up"
echo "trials: the trial of a dead worker of another machine was taken up"
