#!/bin/bash
# The search spaces of scripts/spaces, each for a few steps.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
for script in scripts/spaces/*.lua; do
    output=$(TRELLIS_SHORT=1 scripts/trellis "$script" 2>&1) || { printf '%s failed:\n%s\n' "$script" "$output"; failed=1; }
    [ "$(wc -l < "$script")" -lt 70 ] || { echo "$script has 70 lines or more"; failed=1; }
done
exit $failed
