#!/bin/bash
# What only the release build shows: ten million calls and a million errors leave nothing behind, dropped tensors are collected,
# starting is quick, and pipes and exit codes are those of a well-behaved program.
set -uo pipefail
cd "$(dirname "$0")/../.."
trellis=.build/release/trellis
status=0
check() {
    local what=$1
    shift
    if ! "$@"; then
        echo "failed: $what" >&2
        status=1
    fi
}
exits() {
    local expected=$1 code=0
    shift
    "$@" >/dev/null 2>&1 </dev/null || code=$?
    [ "$code" = "$expected" ]
}

swift build -c release --static-swift-stdlib --product trellis-bench-host >/dev/null 2>&1 || { echo "failed: building trellis-bench-host" >&2; exit 1; }
report=$(.build/release/trellis-bench-host) || { echo "failed: objects are left: $report" >&2; status=1; }
check "ten million calls leave no object" grep -q '^10000000 calls and 1000000 errors later: 0 objects left' <<<"$report"

memory=$("$trellis" -e '
    for i = 1, 20000 do local x = tensor.zeros(1024, 1024) end
    for line in io.lines("/proc/self/status") do
        local kb = line:match("VmHWM:%s+(%d+)")
        if kb then print(math.floor(kb / 1024)) end
    end')
check "20,000 dropped tensors of 4 MB stay under 600 MB (they took ${memory:-?})" test "${memory:-9999}" -lt 600

check "an error is 1" exits 1 "$trellis" -e 'error("x")'
check "wrong usage is 2" exits 2 "$trellis" --nonsense
check "os.exit decides" exits 7 "$trellis" -e 'os.exit(7, true)'
interrupted() { exits 130 timeout --preserve-status -s INT 1 "$trellis" -e "$1"; }
check "an interrupted script is 130" interrupted 'while true do pcall(function() while true do end end) end'
check "an interrupted step is 130" interrupted 'local x = tensor.ones(64, 64) while true do x = x:matmul(x) * 0 end'
check "standard input is a script" test "$(echo 'print(1 + 1)' | "$trellis")" = 2
check "no colour, prompt or banner in a pipe" test "$(printf '1 + 1\n"x"\n' | "$trellis" -i 2>&1)" = $'2\nx'
check "a closed pipe ends quietly" test "$("$trellis" -e 'for i = 1, 1e6 do print(i) end' 2>&1 | head -n 1)" = 1
folder=$(mktemp -d)
check "definitions are written" exits 0 "$trellis" stubs "$folder"
check "definitions are Lua" exits 0 "$trellis" "$folder/library/trellis.lua"
rm -r "$folder"
exit $status
