# Sourced by the other scripts: installs what Debian has to provide, and says what is missing otherwise.
# The package list stands here and nowhere else.

TRELLIS_PACKAGES=(
    pkg-config liblua5.4-dev libreadline-dev libopenblas-dev
    libcairo2-dev libpng-dev libjpeg-dev zlib1g-dev libcmark-gfm-dev libcmark-gfm-extensions-dev
)
# What only the tests need.
TRELLIS_TEST_PACKAGES=(binutils)

# trellis_packages PACKAGE...: installs those that are missing, as root, with sudo, or says the one command to type.
trellis_packages() {
    local missing=() package
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local install="apt-get install -y --no-install-recommends ${missing[*]}"
    local log as=""
    if ! command -v apt-get >/dev/null; then
        echo "trellis: please install what Debian calls: ${missing[*]}" >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            as="sudo -n"
        elif command -v sudo >/dev/null && [ -t 0 ] && [ -t 2 ]; then
            as="sudo"
        else
            printf 'trellis: packages are missing; please type\n    sudo %s\n' "$install" >&2
            return 1
        fi
    fi
    echo "trellis: installing ${missing[*]}" >&2
    log=$(mktemp)
    if ! { $as env DEBIAN_FRONTEND=noninteractive apt-get update && $as env DEBIAN_FRONTEND=noninteractive $install; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        echo "trellis: the installation failed; the command was: $install" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

trellis_swift() {
    command -v swift >/dev/null && return
    echo "trellis: Swift 6.1 or later is needed to build; get it from https://www.swift.org/install and put 'swift' on the PATH" >&2
    return 1
}

# trellis_python NAME PACKAGE...: prints a python with exactly those packages of the Python index (none of their own requirements), in an
# environment under .build that only tests use. Fails with a word where that is not possible.
trellis_python() {
    local directory=.build/python-$1 wanted log
    shift
    wanted="$*"
    if [ -x "$directory/bin/python" ] && [ "$(cat "$directory/packages" 2>/dev/null)" = "$wanted" ]; then
        echo "$directory/bin/python"
        return
    fi
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then trellis_packages python3-venv || return 1; fi
    mkdir -p .build
    log=$(mktemp)
    rm -rf "$directory"
    if ! { python3 -m venv "$directory" && "$directory/bin/pip" install --disable-pip-version-check --no-deps "$@"; } >"$log" 2>&1 </dev/null; then
        tail -n 5 "$log" >&2
        echo "trellis: these Python packages could not be installed: $wanted" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
    echo "$wanted" >"$directory/packages"
    echo "$directory/bin/python"
}

# trellis_skip WHY: ends a test that lacks a tool of the outside. A machine of its own has no excuse; a laptop on a train has.
trellis_skip() {
    [ -z "${CI:-}" ] || exit 1
    echo "skipped: $1"
    exit 0
}
