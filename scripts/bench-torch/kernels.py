"""Trellis's kernels beside PyTorch's, row by row: run by `scripts/bench kernels`, which builds the first side.

Each row is measured in turns, a few milliseconds a side, several times over, so that both sides see the same noise of the
machine; the table shows each side's median. PyTorch's side calls its operators directly, without autograd.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

ops = torch.ops.aten
DEPTHWISE = {"dw3d1": (3, 1), "dw3d2": (3, 2), "dw5d1": (5, 1), "dw5d2": (5, 2)}
DENSE = {"pointwise": (1, 1), "conv3d1": (3, 1), "conv3d2": (3, 2), "conv5d1": (5, 1), "conv5d2": (5, 2)}
# Not of the default table: (kernel, dilation, stride, input channels of C output channels).
OTHERS = {
    "stem": (3, 1, 2, lambda c: 3), "stride2": (3, 1, 2, lambda c: c // 2), "aspp": (3, 12, 1, lambda c: 4 * c),
    "project": (1, 1, 1, lambda c: 5 * c),
}
KINDS = [*DEPTHWISE, *DENSE, "batchnorm", "maxpool", "avgpool", "up", "down"]


def work(kind, channels, side, which):
    """The call to time, as Row.work in Sources/bench/Row.swift."""
    x = torch.randn(2, channels, side, side)
    forward = which == "forward"
    if kind in DEPTHWISE or kind in DENSE or kind in OTHERS:
        k, d, step, channels_in = OTHERS.get(kind) or (*(DEPTHWISE.get(kind) or DENSE[kind]), 1, lambda c: c)
        groups, p = channels if kind in DEPTHWISE else 1, d * (k // 2)
        x = torch.randn(2, channels_in(channels), side, side)
        w = torch.randn(channels, channels_in(channels) // groups, k, k)
        g = torch.randn_like(F.conv2d(x, w, None, step, p, d, groups))
        if forward:
            return lambda: F.conv2d(x, w, None, step, p, d, groups)
        masks = {"backward": [True, True, False], "input": [True, False, False], "weight": [False, True, False]}[which]
        return lambda: ops.convolution_backward(g, x, w, None, [step, step], [p, p], [d, d], False, [0, 0], groups, masks)
    g = torch.randn_like(x)
    if kind == "batchnorm":
        gamma, beta = torch.randn(channels), torch.randn(channels)
        if forward:
            return lambda: ops.native_batch_norm(x, gamma, beta, None, None, True, 0.1, 1e-5)
        _, mean, rstd = ops.native_batch_norm(x, gamma, beta, None, None, True, 0.1, 1e-5)
        return lambda: ops.native_batch_norm_backward(g, x, gamma, None, None, mean, rstd, True, 1e-5, [True, True, True])
    if kind == "maxpool":
        if forward:
            return lambda: ops.max_pool2d_with_indices(x, [3, 3], [1, 1], [1, 1])
        _, at = ops.max_pool2d_with_indices(x, [3, 3], [1, 1], [1, 1])
        return lambda: ops.max_pool2d_with_indices_backward(g, x, [3, 3], [1, 1], [1, 1], [1, 1], False, at)
    if kind == "avgpool":
        if forward:
            return lambda: ops.avg_pool2d(x, [3, 3], [1, 1], [1, 1], False, False)
        return lambda: ops.avg_pool2d_backward(g, x, [3, 3], [1, 1], [1, 1], False, False, None)
    to = 2 * side - 1 if kind == "up" else (side + 1) // 2
    if forward:
        return lambda: ops.upsample_bilinear2d(x, [to, to], True)
    g = torch.randn(2, channels, to, to)
    return lambda: ops.upsample_bilinear2d_backward(g, [to, to], list(x.shape), True)


def sample(call, milliseconds):
    for _ in range(3):
        call()
    times, end = [], time.perf_counter() + milliseconds / 1e3
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e6)
    return times


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench kernels", description=__doc__.splitlines()[0])
    parser.add_argument("--bench", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    classes = [*KINDS, *OTHERS]
    parser.add_argument("--only", nargs="+", choices=classes, default=KINDS, metavar="CLASS", help="of " + " ".join(classes))
    parser.add_argument("--channels", nargs="+", type=int, default=[8, 16, 32, 64])
    parser.add_argument("--sides", nargs="+", type=int, default=[11, 21, 41, 81])
    parser.add_argument("--passes", nargs="+", default=["forward", "backward"], help="of forward backward input weight")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side per row")
    parser.add_argument("--ms", type=float, default=15, help="milliseconds of a turn")
    parser.add_argument("--threads", type=int, help="of both sides (the number of cores)")
    args = parser.parse_args()
    environment = None
    if args.threads:
        import os

        torch.set_num_threads(args.threads)
        environment = dict(os.environ, TRELLIS_THREADS=str(args.threads))
    torch.set_grad_enabled(False)
    server = subprocess.Popen([args.bench, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ours(row):
        # PyTorch's threads spin for some milliseconds after a call, on the core that our second thread needs.
        time.sleep(0.01)
        print(*row, args.ms, file=server.stdin, flush=True)
        return json.loads(server.stdout.readline())

    say = (lambda *_: None) if args.json else (lambda *a: print(*a, flush=True))
    say(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads; batch 2; medians in microseconds")
    say("ratio below 1: Trellis is faster; least: of both sides' best samples")
    say(f"{'class':10}{'C':>4}{'side':>6} {'pass':9}{'trellis':>10}{'pytorch':>10}{'ratio':>8}{'least':>8}")
    rows = []
    for kind in args.only:
        for channels in args.channels:
            for side in args.sides:
                for which in args.passes:
                    row, theirs, mine = (kind, channels, side, which), [], []
                    call = work(*row)
                    for _ in range(args.rounds):
                        mine += ours(row)
                        theirs += sample(call, args.ms)
                    if not mine:
                        continue
                    a, b = statistics.median(mine), statistics.median(theirs)
                    rows.append(dict(kind=kind, channels=channels, side=side, which=which, trellis_us=a, pytorch_us=b, ratio=a / b))
                    say(f"{kind:10}{channels:4}{side:6} {which:9}{a:10.1f}{b:10.1f}{a / b:8.2f}{min(mine) / min(theirs):8.2f}")
    server.stdin.close()
    server.wait()
    worst = {}
    for kind in args.only:
        mine = [r for r in rows if r["kind"] == kind]
        if mine:
            top = max(mine, key=lambda r: r["ratio"])
            mean = math.exp(statistics.fmean(math.log(r["ratio"]) for r in mine))
            worst[kind] = dict(ratio=top["ratio"], mean=mean, row=[top["channels"], top["side"], top["which"]])
    if args.json:
        print(json.dumps(dict(rows=rows, worst=worst)))
    else:
        print("\nworst and (geometric) mean ratio of each class")
        for kind, w in worst.items():
            print(f"{kind:10}{w['ratio']:6.2f} at C {w['row'][0]}, side {w['row'][1]}, {w['row'][2]};  mean {w['mean']:.2f}")


if __name__ == "__main__":
    sys.exit(main())
