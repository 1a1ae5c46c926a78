"""scripts/bench search: a search step of Trellis beside PyTorch's, in one run.

For each crop and kind of atrous convolutions runs Trellis and its peers in turn, `--rounds` times, with the same sizes, and prints medians and ratios. The
peer (`--peer FILE`) takes `--impl`: `plain` as a researcher writes it, or `tuned` by hand; channels last unless --nchw. GFLOP/s count the
arithmetic of the convolutions of both steps; the peak beside them is a large matrix product's in the same run, on the same threads. `--operator` adds
the step of a space with an operator written in Lua (a separable 7x7 in place of the 5x5). `--plot` draws step time over crop size and over layers.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    p = argparse.ArgumentParser(prog="scripts/bench search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("layers", 12), ("blocks", 5), ("filters", 8), ("batch", 2), ("classes", 19), ("threads", 2), ("steps", 3), ("warmup", 1), ("rounds", 1)):
        p.add_argument("--" + name, type=int, default=value)
    numbers = lambda text: [int(n) for n in text.split(",")]
    p.add_argument("--crop", type=numbers, default=[128], metavar="64,128,321")
    p.add_argument("--atrous", choices=["dense", "separable", "both"], default="dense")
    p.add_argument("--impl", choices=["plain", "tuned", "both", "none"], default="plain", help="the peers; none: Trellis alone")
    p.add_argument("--nchw", action="store_true", help="PyTorch without channels last")
    p.add_argument("--recompute", choices=["none", "cheap", "convolutions"], default="cheap", help="what Trellis computes again instead of keeping it")
    p.add_argument("--operator", action="store_true", help="also the space with an operator written in Lua")
    p.add_argument("--json", action="store_true", help="one JSON object a run instead of the table")
    p.add_argument("--profile", action="store_true", help="also Trellis's time by operation")
    p.add_argument("--plot", metavar="FILE", help="an SVG, PDF or PNG of step time over crop size and over layers; Trellis alone")
    p.add_argument("--bench", required=True, help=argparse.SUPPRESS)
    p.add_argument("--peer", required=True, help=argparse.SUPPRESS)
    return p.parse_args()


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        sys.exit(f"scripts/bench: failed with {done.returncode}: {' '.join(command)}\n{done.stderr[-2000:]}")
    return json.loads(lines[-1]), lines[:-1]


def trellis(a, crop, atrous, more=(), **sizes):
    words = [a.bench]
    for name in ("layers", "blocks", "filters", "batch", "classes", "threads", "steps", "warmup"):
        words += ["--" + name, str(sizes.get(name, getattr(a, name)))]
    return run([*words, "--crop", str(crop), "--atrous", atrous, "--recompute", a.recompute, *more])


def pytorch(a, crop, atrous, impl):
    words = [sys.executable, a.peer]
    for name in ("layers", "blocks", "filters", "batch", "classes", "threads", "steps", "warmup"):
        words += ["--" + name, str(getattr(a, name))]
    report = run([*words, "--size", str(crop), str(crop), "--atrous", atrous, "--impl", impl] + ([] if a.nchw else ["--channels-last"]))[0]
    return {"step_ms": report["step_ms"], "peak_mb": report["peak_rss_mb"], "weight_ms": report["ms"]["weight"], "arch_ms": report["ms"]["arch"], "version": report["torch"]}


def median(rows):
    first = rows[0]
    return {k: statistics.median(r[k] for r in rows) if isinstance(v, (int, float)) else v for k, v in first.items()}


def measure(a, crop, atrous):
    impls = {"none": [], "both": ["plain", "tuned"]}.get(a.impl, [a.impl])
    rows = {name: [] for name in ["trellis", *impls]}
    for _ in range(a.rounds):
        report, text = trellis(a, crop, atrous, ["--profile"] if a.profile else [])
        rows["trellis"].append(report)
        if a.profile:
            print("\n".join(text), file=sys.stderr)
        for impl in impls:
            rows[impl].append(pytorch(a, crop, atrous, impl))
    result = {"crop": crop, "atrous": atrous, **{name: median(r) for name, r in rows.items()}}
    for impl in impls:
        result["speed_" + impl] = statistics.median(p["step_ms"] / o["step_ms"] for o, p in zip(rows["trellis"], rows[impl]))
        result["memory_" + impl] = statistics.median(o["peak_mb"] / p["peak_mb"] for o, p in zip(rows["trellis"], rows[impl]))
    if a.operator:
        k = "dil" if atrous == "separable" else "atrous"
        names = ["none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_7x7", f"{k}_conv_3x3", f"{k}_conv_5x5"]
        own = trellis(a, crop, atrous, ["--lua", os.path.join(HERE, "operator.lua"), "--operators", ",".join(names), "--no-peak"])[0]
        stock = result["trellis"]
        result["operator"] = {**own, "time_per_multiply_add": own["step_ms"] / own["gflop"] * stock["gflop"] / stock["step_ms"]}
    return result


def show(a, r):
    t = r["trellis"]
    print(f"search step, {a.layers} layers, {a.blocks} blocks, {a.filters} filters, {r['crop']}x{r['crop']}, batch {a.batch}, {r['atrous']} atrous, {a.threads} threads")
    for name in ("trellis", "plain", "tuned"):
        if name in r:
            x = r[name]
            label = name if name == "trellis" else "PyTorch " + name
            ratio = "" if name == "trellis" else f"   {r['speed_' + name]:.2f} times Trellis's time; Trellis needs {r['memory_' + name]:.2f} of the memory"
            print(f"  {label:14} {x['step_ms']:8.0f} ms  (weights {x['weight_ms']:.0f}, architecture {x['arch_ms']:.0f})   peak {x['peak_mb']:.0f} MB{ratio}")
    print(f"  {t['gflop']:.1f} GFLOP at {t['gflops']:.1f} GFLOP/s, {100 * t['gflops'] / t['peak_gflops']:.0f} % of the machine's {t['peak_gflops']:.0f}; kernels read and write "
          f"{t['traffic_gb']:.1f} GB, {100 * t['traffic_gb'] / t['bandwidth'] / t['step_ms'] * 1000:.0f} % of the step at its {t['bandwidth']:.0f} GB/s")
    print(f"  compiled in {t['compile_ms'] / 1000:.1f} s; {' + '.join(map(str, t['kernels']))} kernels, arenas {' and '.join(map(str, t['arena_mb']))} MB")
    if "operator" in r:
        o = r["operator"]
        print(f"  with sep_conv_7x7 written in Lua: {o['step_ms']:.0f} ms, {o['gflop']:.1f} GFLOP: {o['time_per_multiply_add']:.2f} times as long per multiply-add")


def plot(a):
    """Step time over crop size and over layers, drawn by Trellis."""
    kinds = ["dense", "separable"] if a.atrous == "both" else [a.atrous]
    crops, depths = [64, 96, 128, 192, 256, 321], [2, 4, 6, 8, 10, 12]
    quick = {"steps": 1, "warmup": 1}
    over = {k: [trellis(a, c, k, ["--no-peak"], **quick)[0] for c in crops] for k in kinds}
    deep = {k: [trellis(a, a.crop[0], k, ["--no-peak"], **quick, layers=n)[0] for n in depths] for k in kinds}
    seconds = lambda rows, key, scale: "{" + ", ".join(f"{r[key] / scale:.4g}" for r in rows) + "}"
    series = lambda table, key, scale: "{" + ", ".join(f"{{'{k}', {seconds(rows, key, scale)}}}" for k, rows in table.items()) + "}"
    def curves(table, x, key, scale, label, x_label, title):
        xs = "{" + ", ".join(map(str, x)) + "}"
        return f"plot.curves({series(table, key, scale)}, {{x = {xs}, x_label = '{x_label}', y_label = '{label}', title = '{title}', y_range = {{0, {1.1 * max(r[key] for rows in table.values() for r in rows) / scale:.4g}}}}})"
    fixed = f"{a.blocks} blocks, {a.filters} filters, batch {a.batch}"
    script = "plot.grid{{%s, %s}, {%s, %s}}:save([[%s]])\n" % (
        curves(over, crops, "step_ms", 1000, "seconds a step", "crop size", f"{a.layers} layers, {fixed}"),
        curves(over, crops, "peak_mb", 1000, "GB at most", "crop size", f"{a.layers} layers, {fixed}"),
        curves(deep, depths, "step_ms", 1000, "seconds a step", "layers", f"crop {a.crop[0]}, {fixed}"),
        curves(deep, depths, "peak_mb", 1000, "GB at most", "layers", f"crop {a.crop[0]}, {fixed}"), os.path.abspath(a.plot))
    subprocess.run([a.bench, "--lua", "/dev/stdin"], input=script, text=True, check=True)
    for name, table, x in (("crop", over, crops), ("layers", deep, depths)):
        for k, rows in table.items():
            print(f"{k}, {name}: " + ", ".join(f"{n}: {r['step_ms'] / 1000:.2f} s, {r['peak_mb']:.0f} MB" for n, r in zip(x, rows)))


def main():
    a = arguments()
    if a.plot:
        return plot(a)
    for atrous in ["dense", "separable"] if a.atrous == "both" else [a.atrous]:
        for crop in a.crop:
            result = measure(a, crop, atrous)
            print(json.dumps(result)) if a.json else show(a, result)
            sys.stdout.flush()


main()
