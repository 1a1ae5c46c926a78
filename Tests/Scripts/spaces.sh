#!/bin/bash
# The search spaces of scripts/spaces and, where TRELLIS_ALL is set, the tasks of scripts/tasks, each for a few steps; and the handed ones, unchanged, where they lie beside the checkout.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for script in scripts/tasks/*.lua; do
    [ -n "${TRELLIS_ALL:-}" ] || break
    name=$(basename "$script" .lua)
    output=$(TRELLIS_SHORT=1 scripts/trellis "$script" "$out/$name" 2>&1) || { printf '%s failed:\n%s\n' "$script" "$output"; failed=1; }
    for file in "$name.svg" "$name.onnx"; do [ -s "$out/$name/$file" ] || { echo "$script left no $file"; failed=1; }; done
    [ "$(wc -l < "$script")" -lt 80 ] || { echo "$script has 80 lines or more"; failed=1; }
done
for script in scripts/spaces/*.lua; do
    output=$(TRELLIS_SHORT=1 scripts/trellis "$script" 2>&1) || { printf '%s failed:\n%s\n' "$script" "$output"; failed=1; }
    [ "$(wc -l < "$script")" -lt 70 ] || { echo "$script has 70 lines or more"; failed=1; }
done
handed=../shared/acceptance/spaces
[ -d "$handed" ] || echo "skipped: the handed spaces are not beside this checkout"
for script in "$handed"/*.lua; do
    [ -e "$script" ] || continue
    output=$(scripts/trellis "$script" 2>&1) || { printf '%s failed:\n%s\n' "$script" "$output"; failed=1; }
done
exit $failed
