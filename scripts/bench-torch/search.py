"""scripts/bench search: a search step of Trellis beside PyTorch's, in one run.

Runs the two programs in turn, `--rounds` times, each with the same sizes, and prints medians and their ratio. The peer is
../shared/reference/torch_search.py: `plain` as a researcher writes it, or `--impl tuned`; channels last unless --nchw.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys


def arguments():
    p = argparse.ArgumentParser(prog="scripts/bench search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("layers", 12), ("blocks", 5), ("filters", 8), ("crop", 128), ("batch", 2), ("classes", 19), ("threads", 2), ("steps", 3), ("warmup", 1), ("rounds", 1)):
        p.add_argument("--" + name, type=int, default=value)
    p.add_argument("--atrous", choices=["dense", "separable"], default="dense")
    p.add_argument("--impl", choices=["plain", "tuned"], default="plain")
    p.add_argument("--nchw", action="store_true", help="PyTorch without channels last")
    p.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    p.add_argument("--profile", action="store_true", help="also Trellis's time by operation")
    p.add_argument("--bench", required=True, help=argparse.SUPPRESS)
    p.add_argument("--peer", required=True, help=argparse.SUPPRESS)
    return p.parse_args()


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        sys.exit(f"scripts/bench: failed with {done.returncode}: {' '.join(command)}")
    return json.loads(lines[-1]), lines[:-1]


def main():
    a = arguments()
    sizes = lambda *names: [w for n in names for w in ("--" + n, str(getattr(a, n)))]
    trellis = [a.bench, *sizes("layers", "blocks", "filters", "crop", "batch", "classes", "threads", "steps", "warmup"), "--atrous", a.atrous]
    if a.profile:
        trellis.append("--profile")
    peer = [sys.executable, a.peer, *sizes("layers", "blocks", "filters", "batch", "classes", "threads", "steps", "warmup"),
            "--size", str(a.crop), str(a.crop), "--atrous", a.atrous, "--impl", a.impl] + ([] if a.nchw else ["--channels-last"])
    ours, theirs = [], []
    for _ in range(a.rounds):
        report, text = run(trellis)
        ours.append(report)
        theirs.append(run(peer)[0])
        if a.profile:
            print("\n".join(text), file=sys.stderr)
    mid = lambda rows, key: statistics.median(r[key] for r in rows)
    result = {
        "trellis": {"step_ms": mid(ours, "step_ms"), "peak_mb": mid(ours, "peak_mb"), "weight_ms": mid(ours, "weight_ms"), "arch_ms": mid(ours, "arch_ms"),
                    "compile_ms": mid(ours, "compile_ms"), "arena_mb": ours[0]["arena_mb"], "kernels": ours[0]["kernels"]},
        "pytorch": {"step_ms": mid(theirs, "step_ms"), "peak_mb": mid(theirs, "peak_rss_mb"), "weight_ms": statistics.median(r["ms"]["weight"] for r in theirs),
                    "arch_ms": statistics.median(r["ms"]["arch"] for r in theirs), "version": theirs[0]["torch"], "impl": a.impl},
    }
    result["speed"] = statistics.median(t["step_ms"] / o["step_ms"] for o, t in zip(ours, theirs))
    result["memory"] = statistics.median(o["peak_mb"] / t["peak_rss_mb"] for o, t in zip(ours, theirs))
    if a.json:
        print(json.dumps(result))
        return
    print(f"search step, {a.layers} layers, {a.blocks} blocks, {a.filters} filters, {a.crop}x{a.crop}, batch {a.batch}, {a.atrous} atrous, {a.threads} threads")
    for name in ("trellis", "pytorch"):
        r = result[name]
        print(f"  {name:8} {r['step_ms']:9.0f} ms  (weights {r['weight_ms']:.0f}, architecture {r['arch_ms']:.0f})   peak {r['peak_mb']:.0f} MB")
    print(f"  Trellis is {result['speed']:.2f} times as fast and needs {result['memory']:.2f} of the memory")


main()
