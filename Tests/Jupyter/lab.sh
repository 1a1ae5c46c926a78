#!/bin/bash
# JupyterLab in Debian's chromium (850 MB to install): run, complete, tooltip, live figure, a search and a look into it, interrupt, restart. Screenshots lie in
# .build/lab afterwards.
set -u
cd "$(dirname "$0")/../.."
. scripts/setup.sh
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
trellis_packages libzmq5 chromium || exit 1
environment=$PWD/.build/python-jupyterlab
if [ ! -x "$environment/bin/jupyter-lab" ]; then
    if ! { python3 -m venv "$environment" && "$environment/bin/pip" install --quiet --disable-pip-version-check jupyterlab playwright; } >/dev/null 2>&1; then
        trellis_skip "jupyterlab and playwright could not be installed"
    fi
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$trellis" kernel install --prefix "$work" || exit 1
rm -rf .build/lab
JUPYTER_PATH=$work/share/jupyter PATH=$environment/bin:$PATH timeout 600 "$environment/bin/python" Tests/Jupyter/lab.py .build/lab
