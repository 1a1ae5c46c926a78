"""scripts/bench infer: the published network on one image, Trellis beside ONNX Runtime, in one run.

Both run the same network with the same weights: Trellis writes it as an ONNX file, which ONNX Runtime loads with all its optimisations. The two
take turns, one image each, so that both see the same noise of the machine; printed are medians, their ratio, and by how much the results differ.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time



def arguments():
    p = argparse.ArgumentParser(prog="scripts/bench infer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--filters", type=int, nargs="+", default=[20], help="filter multipliers, of the paper 20, 32, 48")
    p.add_argument("--size", type=int, nargs=2, default=[513, 1025], metavar=("HEIGHT", "WIDTH"))
    for name, value in (("classes", 19), ("threads", 2), ("rounds", 7)):
        p.add_argument("--" + name, type=int, default=value)
    p.add_argument("--json", action="store_true", help="one JSON object a network instead of the table")
    p.add_argument("--profile", action="store_true", help="also Trellis's time by operation")
    p.add_argument("--bench", required=True, help=argparse.SUPPRESS)
    return p.parse_args()


def runtime(path, threads):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Its threads must not spin while ours compute.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]), ort.__version__


def compare(a, filters):
    import numpy
    with tempfile.TemporaryDirectory() as directory:
        path = lambda name: os.path.join(directory, name)
        command = [a.bench, "--serve", "--filters", filters, "--height", a.size[0], "--width", a.size[1], "--classes", a.classes, "--threads", a.threads,
                   "--export", path("network.onnx"), "--images", path("images.npy"), "--scores", path("scores.npy")] + (["--profile"] if a.profile else [])
        ours = subprocess.Popen([str(w) for w in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        line = ours.stdout.readline()
        if not line:
            sys.exit(f"scripts/bench: failed: {' '.join(map(str, command))}")
        report = json.loads(line)
        session, version = runtime(path("network.onnx"), a.threads)
        feed = {session.get_inputs()[0].name: numpy.load(path("images.npy"))}
        theirs = session.run(None, feed)[0]
        wanted = numpy.load(path("scores.npy"))
        times = [], []
        for _ in range(a.rounds):
            ours.stdin.write("\n")
            times[0].append(float(ours.stdout.readline()))
            start = time.perf_counter()
            session.run(None, feed)
            times[1].append(1000 * (time.perf_counter() - start))
        ours.stdin.close()
        ours.wait()
    mid = [statistics.median(t) for t in times]
    rate = [report["gflop"] / ms * 1000 for ms in mid]
    peak = report["peak_gflops"] * a.threads
    return {
        "filters": filters, "size": a.size, "threads": a.threads, "gflop": report["gflop"], "peak_gflops": peak, "compile_ms": report["compile_ms"],
        "arena_mb": report["arena_mb"], "kernels": report["kernels"], "parameters": report["parameters"],
        "trellis": {"ms": mid[0], "least_ms": min(times[0]), "gflops": rate[0]},
        "onnxruntime": {"ms": mid[1], "least_ms": min(times[1]), "gflops": rate[1], "version": version},
        "speed": statistics.median(t / o for o, t in zip(*times)), "difference": float(abs(theirs - wanted).max() / abs(wanted).max()),
    }


def main():
    a = arguments()
    for filters in a.filters:
        r = compare(a, filters)
        if a.json:
            print(json.dumps(r))
            continue
        print(f"auto_deeplab, F = {filters} ({r['parameters']:,} parameters), {a.size[0]}x{a.size[1]}, {r['gflop']:.1f} GFLOP by the direct count, {a.threads} threads")
        for name in ("trellis", "onnxruntime"):
            t = r[name]
            print(f"  {name:12} {t['ms']:8.0f} ms (least {t['least_ms']:.0f})   {t['gflops']:6.1f} GFLOP/s, {100 * t['gflops'] / r['peak_gflops']:.0f} % of the cores' peak of {r['peak_gflops']:.0f}")
        print(f"  Trellis is {r['speed']:.2f} times as fast; arena {r['arena_mb']} MB, {r['kernels']} kernels; results differ by {r['difference']:.1e} of the largest", flush=True)


main()
