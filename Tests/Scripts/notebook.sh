#!/bin/bash
# `trellis notebook`: tutorials (two; all of them where TRELLIS_ALL is set) as a page, a notebook and Markdown, twice with the same bytes, nothing on a page that lies outside of it; and what
# the options do with scripts and notebooks that are made for it.
set -u
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
tutorials=(tutorials/1-*.lua tutorials/5-*.lua)
[ -z "${TRELLIS_ALL:-}" ] || tutorials=(tutorials/*.lua)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
    echo "$1" >&2
    failed=1
}
expect() { grep -qF -- "$2" "$1" || fail "$(basename "$1"): expected '$2', got: $(head -c 600 "$1")"; }

# The tutorials; their pictures go into a folder of the run.
for tutorial in "${tutorials[@]}"; do
    name=$(basename "$tutorial" .lua)
    for run in 1 2; do
        mkdir -p "$work/$run"
        if ! (cd "$work/$run" && TRELLIS_SHORT=1 TRELLIS_OUT=out "$trellis" notebook "$OLDPWD/$tutorial" -o "$name.html" -o "$name.ipynb" -o "$name.md") >"$work/log" 2>&1; then
            fail "$name: $(tail -n 5 "$work/log")"
        fi
    done
done
diff -rq "$work/1" "$work/2" >"$work/differences" || fail "two runs differ: $(cat "$work/differences")"
for page in "$work"/1/*.html; do
    if grep -qE '(src|href)="(https?:)?//|<script|<link|@import|url\(' "$page"; then fail "$(basename "$page"): something lies outside of the page"; fi
    [ "$(wc -c <"$page")" -gt 10000 ] || fail "$(basename "$page") is empty"
done
python3 - "$work"/1/*.ipynb <<'PY' || failed=1
import json, re, sys
for path in sys.argv[1:]:
    text = open(path).read()
    n = json.loads(text)
    assert json.dumps(n, indent=1, sort_keys=True, ensure_ascii=False) + "\n" == text, path + ": not as nbformat writes it"
    assert (n["nbformat"], n["nbformat_minor"], n["metadata"]["kernelspec"]["language"]) == (4, 5, "lua"), path
    ids = [c["id"] for c in n["cells"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", i) for i in ids), path
    assert all(c["execution_count"] for c in n["cells"] if c["cell_type"] == "code"), path
    assert any("image/svg+xml" in o.get("data", {}) and "image/png" in o["data"] for c in n["cells"] for o in c.get("outputs", [])), path + ": no pictures"
PY

cd "$work" || exit 1
cat >small.lua <<'LUA'
-- %% [markdown]
-- # Small
-- | a | b |
-- |---|---|
-- | 1 | <script>alert(1)</script> |

-- %% tags=["parameters"]
local n = 2

-- %%
local name = name or "nobody"
print("n", n, name)
io.stderr:write("careful\n")
os.execute("echo child; echo complaint >&2")
display("shown", {id = "d"}):update("shown again")
local bar = progress.bar{total = n} for i = 1, n do bar:update(i, {loss = 1 / i}) end bar:finish()
n * 21
LUA
$trellis notebook small.lua -o small.html -o small.ipynb -o small.md >/dev/null || fail "small.lua"
expect small.md '42'
expect small.md $'n\t2\tnobody'
expect small.md 'shown again'
expect small.md '2/2 (100%)  loss 0.5000'
expect small.html '<table>'
grep -q '<script' small.html && fail "a script of Markdown is in the page"
grep -q "shown$" small.md && fail "a display is there in its first state"
python3 - <<'PY' || failed=1
import json
outputs = json.load(open("small.ipynb"))["cells"][2]["outputs"]
text = [(o.get("name"), "".join(o["text"])) for o in outputs if o["output_type"] == "stream"]
assert text == [("stdout", "n\t2\tnobody\n"), ("stderr", "careful\n"), ("stdout", "child\n"), ("stderr", "complaint\n")], text
PY
$trellis notebook small.lua -o p.ipynb -p n=5 -p name=x=y >/dev/null || fail "-p"
$trellis notebook p.ipynb -o p.md >/dev/null || fail "p.ipynb as input"
expect p.md '105'
expect p.md 'x=y'
$trellis notebook small.lua --check small.ipynb >/dev/null || fail "--check finds what is not there"
$trellis notebook small.lua -p n=3 --check small.ipynb >check 2>&1 && fail "--check finds nothing"
expect check '+ 63'
$trellis notebook small.lua -o bare.html --no-code >/dev/null
grep -q 'progress.bar' bare.html && fail "--no-code leaves code"

printf -- '-- %%%%\nx = 1\n-- %%%%\nlocal y = x.a.b\n-- %%%%\nprint("on")\n' >wrong.lua
$trellis notebook wrong.lua -o wrong.md >log 2>&1 && fail "a cell that fails is no failure"
expect log 'cell 2:1: attempt to index'
expect log '1 | local y = x.a.b'
expect log 'begins in line 4 of wrong.lua'
expect wrong.md 'attempt to index'
grep -q '^on$' wrong.md && fail "cells behind one that failed ran"
$trellis notebook wrong.lua -o wrong.md --allow-errors >/dev/null || fail "--allow-errors"
grep -q '^on$' wrong.md || fail "--allow-errors did not go on"
printf 'x = = 1\n' >syntax.lua
$trellis notebook syntax.lua -o syntax.md >log 2>&1 && fail "no Lua is no failure"
expect log 'cell 1:1: unexpected symbol near'
printf 'while true do end\n' >long.lua
$trellis notebook long.lua -o long.md --timeout 0.5 >log 2>&1 && fail "--timeout"
expect log 'stopped after 0.5 s'
printf 'os.exit(0)\n' >exit.lua
$trellis notebook exit.lua -o exit.md >log 2>&1 && fail "os.exit ends the run"
expect log 'os.exit would end the notebook'
printf '{"nbformat": 4}' >broken.ipynb
$trellis notebook broken.ipynb -o broken.md >log 2>&1 && fail "a broken notebook"
expect log "broken.ipynb: expected a list 'cells'"
[ -e broken.md ] && fail "a broken notebook leaves a file"
$trellis notebook nowhere.lua -o x.md >log 2>&1 && fail "no file"
$trellis notebook small.lua -o /nowhere/x.html >log 2>&1 && fail "no folder"
$trellis notebook small.lua >log 2>&1
[ $? = 2 ] || fail "wrong usage"
$trellis notebook long.lua -o interrupted.md >log 2>&1 &
sleep 1
kill -INT $!
wait $!
[ $? = 130 ] || fail "Ctrl-C: status $?"
[ -e interrupted.md ] && fail "Ctrl-C leaves a file"
[ $failed = 0 ] && echo "notebooks: ${#tutorials[@]} tutorials and the options"
exit $failed
