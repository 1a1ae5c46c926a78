#!/bin/bash
# The scripts of scripts/cluster start two processes each, and what these make together is what one makes: by xargs, by GNU parallel where it is installed, by mpirun and sbatch that stand in for
# those of a cluster. TRELLIS names the program.
set -u
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "cluster: $*"; cat "$work"/*.txt 2>/dev/null; exit 1; }

# These scripts beside a `trellis` that builds nothing, but writes down how it was started.
mkdir "$work/scripts" "$work/bin"
ln -s "$PWD"/scripts/*.lua "$work/scripts"
cp -r scripts/cluster "$work/scripts"
cat >"$work/scripts/trellis" <<END
#!/bin/bash
echo "\$TRELLIS_THREADS" >>"\$STARTS"
exec "$trellis" "\$@"
END
# mpirun -n N COMMAND...
cat >"$work/bin/mpirun" <<'END'
#!/bin/bash
count=$2
shift 2
for ((i = 0; i < count; i++)); do "$@" & tasks+=($!); done
for task in "${tasks[@]}"; do wait "$task" || exit 1; done
END
# sbatch --array=1-N SCRIPT ARGS...: runs a copy of the script, as Slurm does.
cat >"$work/bin/sbatch" <<'END'
#!/bin/bash
count=${1#--array=1-}
copy=$(mktemp -d)/slurm_script
cp "$2" "$copy"
shift 2
for ((i = 1; i <= count; i++)); do SLURM_SUBMIT_DIR=$PWD SLURM_CPUS_PER_TASK=1 SLURM_ARRAY_TASK_ID=$i bash "$copy" "$@" & tasks+=($!); done
for task in "${tasks[@]}"; do wait "$task" || exit 1; done
rm -r "${copy%/*}"
END
chmod +x "$work/scripts/trellis" "$work"/bin/*
export PATH="$work/bin:$PATH"
cd "$work" || exit 1

truth=(scripts/truth.lua --name small --layers 2 --strides 4,8 --operators "skip_connect,sep_conv_3x3" --size 32x32 --classes 3 --images 16 --stem 4 --checkpoints 1,2 --seeds 1,2)
export TRELLIS_THREADS=1
STARTS=$work/one.starts scripts/trellis "${truth[@]}" --out one >one.txt 2>&1 || fail "one process failed"

# together NAME COMMAND...: two processes of the truth, in a directory whose name has a space.
together() {
    name=$1
    shift
    env -u TRELLIS_THREADS STARTS="$work/$name.starts" "$@" "${truth[@]}" --out "$name together" >"$name.txt" 2>&1 || fail "$name failed"
    [ "$(cat "$name.starts")" = $'1\n1' ] || fail "$name did not start two processes of one thread each: $(cat "$name.starts")"
    cmp one/small.json "$name together/small.json" || fail "$name made another truth than one process"
    [ "$(grep -c '"event":"finish"' "$name together/journal.jsonl")" = "$(grep -c '"event":"finish"' one/journal.jsonl)" ] || fail "$name did not finish every trial once"
}
together xargs scripts/cluster/xargs.sh 2
together mpirun scripts/cluster/mpirun.sh 2
together slurm sbatch --array=1-2 scripts/cluster/slurm.sh
said=
if command -v parallel >/dev/null; then together parallel scripts/cluster/parallel.sh 2; else said="; parallel is not installed, and was not tried"; fi
echo "cluster: two processes by xargs, mpirun and sbatch make what one makes$said"
