#!/bin/bash
# The search spaces of scripts/spaces, each for a few steps; and the handed ones, unchanged, where they lie beside the checkout.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
for script in scripts/spaces/*.lua; do
    output=$(TRELLIS_SHORT=1 scripts/trellis "$script" 2>&1) || { printf '%s failed:\n%s\n' "$script" "$output"; failed=1; }
    [ "$(wc -l < "$script")" -lt 70 ] || { echo "$script has 70 lines or more"; failed=1; }
done
handed=../shared/acceptance/spaces
[ -d "$handed" ] || echo "skipped: the handed spaces are not beside this checkout"
for script in "$handed"/*.lua; do
    [ -e "$script" ] || continue
    # Asks for data of one's own, which there is not yet.
    [ "$(basename "$script")" = own_task.lua ] && continue
    output=$(scripts/trellis "$script" 2>&1) || { printf '%s failed:\n%s\n' "$script" "$output"; failed=1; }
done
exit $failed
