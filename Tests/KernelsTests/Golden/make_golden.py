"""Writes kernels.json beside this file: small inputs and what PyTorch computes from them.

    python make_golden.py

Every case is {"kind", "options": {...}, "tensors": {name: [numbers]}}; numbers are float32 written exactly enough to be
read back to the same bits.
"""
import json
import os

import torch
import torch.nn.functional as F

torch.manual_seed(20261123)
cases = []


def numbers(t):
    return [float("%.9g" % v) for v in t.detach().double().flatten().tolist()]


def case(kind, options, **tensors):
    cases.append({"kind": kind, "options": options, "tensors": {k: numbers(v) for k, v in tensors.items()}})


def leaf(*shape, scale=1.0, shift=0.0):
    return (torch.randn(*shape) * scale + shift).requires_grad_(True)


def batch_norm():
    for n, c, h, w, shift in [(2, 3, 5, 7, 0.0), (1, 2, 9, 4, 100.0), (3, 1, 1, 2, -1.0)]:
        x, gamma, beta = leaf(n, c, h, w, scale=2, shift=shift), leaf(c), leaf(c)
        y = F.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-5)
        g = torch.randn_like(y)
        y.backward(g)
        case("batch_norm", dict(batch=n, channels=c, size=h * w, epsilon=1e-5), x=x, gamma=gamma, beta=beta, g=g, y=y,
             dx=x.grad, dgamma=gamma.grad, dbeta=beta.grad, mean=x.mean((0, 2, 3)), variance=x.var((0, 2, 3), unbiased=False))


def pools():
    for h, w, k, s, p in [(7, 9, (3, 3), (1, 1), (1, 1)), (8, 7, (3, 3), (2, 2), (1, 1)), (6, 9, (2, 3), (2, 3), (0, 1)),
                          (1, 1, (3, 3), (1, 1), (1, 1)), (5, 6, (5, 4), (1, 2), (2, 2))]:
        options = dict(batch=2, channels=2, inHeight=h, inWidth=w, kernelHeight=k[0], kernelWidth=k[1], strideHeight=s[0],
                       strideWidth=s[1], padHeight=p[0], padWidth=p[1])
        # Few distinct values: most windows have several maxima.
        x = torch.randint(-2, 3, (2, 2, h, w)).float().requires_grad_(True)
        y = F.max_pool2d(x, k, s, p)
        g = torch.randn_like(y)
        y.backward(g)
        case("max_pool", options, x=x, y=y, g=g, dx=x.grad)
        for count in (False, True):
            x = leaf(2, 2, h, w)
            y = F.avg_pool2d(x, k, s, p, count_include_pad=count)
            y.backward(g)
            case("average_pool", dict(options, countPadding=count), x=x, y=y, g=g, dx=x.grad)


def resizes():
    for mode, corners in [("bilinear", True), ("bilinear", False), ("nearest", None)]:
        for h, w, oh, ow in [(5, 6, 9, 11), (9, 11, 5, 6), (4, 4, 4, 4), (1, 3, 4, 1), (3, 1, 1, 5), (3, 20, 7, 3), (2, 2, 11, 40)]:
            x = leaf(1, 2, h, w)
            y = F.interpolate(x, size=(oh, ow), mode=mode, align_corners=corners)
            g = torch.randn_like(y)
            y.backward(g)
            case("resize", dict(channels=2, inHeight=h, inWidth=w, outHeight=oh, outWidth=ow, mode=mode, corners=bool(corners)),
                 x=x, y=y, g=g, dx=x.grad)


def cross_entropies():
    for n, c, s, weighted in [(2, 5, 21, False), (2, 5, 21, True), (1, 19, 40, True), (3, 2, 1, False)]:
        x = leaf(n, c, s, scale=3)
        labels = torch.randint(0, c, (n, s))
        labels[torch.rand(n, s) < 0.2] = 255
        labels[0, 0] = 1
        weights = torch.rand(c) + 0.1 if weighted else None
        y = F.cross_entropy(x, labels, weight=weights, ignore_index=255)
        y.backward()
        tensors = dict(x=x, labels=labels, y=y, dx=x.grad)
        if weighted:
            tensors["weights"] = weights
        case("cross_entropy", dict(batch=n, classes=c, pixels=s), **tensors)


def softmaxes():
    for outer, n, inner in [(3, 7, 1), (2, 5, 9), (1, 40, 1)]:
        for log in (False, True):
            x = leaf(outer, n, inner, scale=4)
            y = (F.log_softmax if log else F.softmax)(x, 1)
            g = torch.randn_like(y)
            y.backward(g)
            case("softmax", dict(outer=outer, n=n, inner=inner, log=log), x=x, y=y, g=g, dx=x.grad)


def updates():
    count, steps = 21, 3
    sgd = [dict(lr=0.1), dict(lr=0.1, momentum=0.9, weight_decay=1e-2), dict(lr=0.05, momentum=0.8, nesterov=True),
           dict(lr=0.05, momentum=0.8, dampening=0.3, weight_decay=1e-3)]
    for name, options in [("sgd", o) for o in sgd] + [("adam", dict(lr=0.01, weight_decay=0.1)), ("adamw", dict(lr=0.01, weight_decay=0.1))]:
        p = torch.randn(count, requires_grad=True)
        start, gradients = p.detach().clone(), torch.randn(steps, count)
        optimiser = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]([p], **options)
        for g in gradients:
            p.grad = g.clone()
            optimiser.step()
        case(name, dict(options, count=count, steps=steps), start=start, gradients=gradients, end=p)


for make in (batch_norm, pools, resizes, cross_entropies, softmaxes, updates):
    make()
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernels.json")
with open(path, "w") as f:
    f.write('{"torch": "%s", "cases": [\n' % torch.__version__ + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]}\n")
print(len(cases), "cases,", os.path.getsize(path), "bytes")
