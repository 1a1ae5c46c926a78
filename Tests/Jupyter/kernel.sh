#!/bin/bash
# The Jupyter kernel as front ends meet it: jupyter_kernel_test with all its samples, a client of our own, nbclient, papermill, nbconvert,
# jupyter_console and jupytext.
set -u
cd "$(dirname "$0")/../.."
. scripts/setup.sh
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
trellis_packages libzmq5 || exit 1
# With their requirements, unlike the other environments: they are many.
environment=$PWD/.build/python-jupyter
wanted="jupyter_kernel_test nbclient papermill nbconvert jupyter_console jupytext ipykernel"
if [ "$(cat "$environment/packages" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$environment"
    if ! { python3 -m venv "$environment" && "$environment/bin/pip" install --quiet --disable-pip-version-check $wanted; } >/dev/null 2>&1; then
        trellis_skip "jupyter_kernel_test and its kind could not be installed"
    fi
    echo "$wanted" >"$environment/packages"
fi
python=$environment/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
step() {
    local what=$1
    shift
    if "$@" >"$work/log" 2>&1; then echo "passed: $what"; else
        tail -n 40 "$work/log"
        echo "FAILED: $what"
        failed=1
    fi
}

"$trellis" kernel install --prefix "$work" || exit 1
export JUPYTER_PATH=$work/share/jupyter PATH=$environment/bin:$PATH TRELLIS_SHORT=1 TRELLIS_OUT=$work/out
step "jupyter_kernel_test" timeout 120 "$python" Tests/Jupyter/conformance.py
step "client" timeout 300 "$python" Tests/Jupyter/client.py
tutorials=$PWD/tutorials
cd "$work" || exit 1
step "jupytext reads and writes all tutorials unchanged" "$python" - "$tutorials"/*.lua <<'PY'
import sys, jupytext
for path in sys.argv[1:]:
    text = open(path).read()
    assert jupytext.writes(jupytext.reads(text, "lua:percent"), "lua:percent") == text, path
PY
step "nbclient on all tutorials" timeout 600 "$python" - "$tutorials"/*.lua <<'PY'
import sys, jupytext, nbformat
from nbclient import NotebookClient
for path in sys.argv[1:]:
    notebook = jupytext.read(path)
    notebook.metadata["kernelspec"] = {"name": "trellis", "display_name": "Trellis (Lua)", "language": "lua"}
    NotebookClient(notebook, timeout=120).execute()
    nbformat.validate(notebook)
    nbformat.write(notebook, "executed.ipynb")
PY
step "nbconvert" "$python" -m jupyter nbconvert --to html executed.ipynb
console() {
    printf '%s\n' "dofile(\"$tutorials/1-prompt-and-tensors.lua\")" '6 * 7' | "$python" -m jupyter console --kernel trellis --simple-prompt | tee console.txt
    grep -q 'Out\[2\]: 42' console.txt && grep -q '^tensor float32 \[2, 3\]' console.txt
}
step "jupyter_console on a tutorial" timeout 120 bash -c "$(declare -f console); python=$python tutorials=$tutorials; console"
cat >parameters.lua <<'LUA'
-- %% tags=["parameters"]
n = 1
-- %%
print("n is", n)
LUA
step "papermill with parameters" "$python" - <<'PY'
import jupytext, json, papermill
from papermill.translators import Translator, papermill_translators

class Lua(Translator):
    @classmethod
    def translate_none(cls, value): return "nil"
    @classmethod
    def translate_bool(cls, value): return "true" if value else "false"
    @classmethod
    def comment(cls, text): return f"-- {text}".strip()

papermill_translators.register("lua", Lua)
notebook = jupytext.read("parameters.lua")
notebook.metadata["kernelspec"] = {"name": "trellis", "display_name": "Trellis (Lua)", "language": "lua"}
jupytext.write(notebook, "parameters.ipynb")
papermill.execute_notebook("parameters.ipynb", "made.ipynb", parameters={"n": 7}, progress_bar=False)
assert "n is\\t7" in open("made.ipynb").read()
PY

# What goes wrong says so.
cd "$OLDPWD" || exit 1
complain() {
    local word=$1
    shift
    "$@" >"$work/log" 2>&1 && { echo "FAILED: no error of $*"; failed=1; }
    grep -qF -- "$word" "$work/log" || { echo "FAILED: expected '$word', got $(cat "$work/log")"; failed=1; }
}
complain "cannot open" "$trellis" kernel -f "$work/nowhere.json"
echo '{}' >"$work/connection.json"
complain "expected a text 'transport'" "$trellis" kernel -f "$work/connection.json"
"$python" - "$work" <<'PY'
import json, socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
port = s.getsockname()[1]
c = {"transport": "tcp", "ip": "127.0.0.1", "key": "k", "signature_scheme": "hmac-sha256"}
c.update({n + "_port": port for n in ("shell", "iopub", "stdin", "control", "hb")})
json.dump(c, open(sys.argv[1] + "/taken.json", "w"))
PY
complain "cannot listen at tcp://127.0.0.1" "$trellis" kernel -f "$work/taken.json"
[ -z "$(pgrep -f "kernel -f .*$work" || true)" ] || { echo "FAILED: a kernel is left"; failed=1; }
exit $failed
