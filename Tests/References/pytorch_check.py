"""Compares exported networks with what Trellis computed of them: scores, gradients, ten steps of SGD; trains them and writes them for the way back.

pytorch_check.py DIR [NAMES], a pattern of networks."""
import copy
import importlib.util
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

failed = False


def away(a, b):
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12))


def module(folder):
    spec = importlib.util.spec_from_file_location("network", folder / "network.py")
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    return code


def gradients_of(model, loss):
    model.zero_grad()
    loss(model).backward()
    return {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}


def near(model):
    """The network with weights that rounding cannot tell from its own: sums of float32 leave some 2e-6 uncertain, Winograd's the most."""
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1 + 2e-6 * torch.randn_like(p))
    return model


def beyond_kinks(model, loss, theirs, largest, draws=32):
    """How far gradients are outside of those of the networks `near` this one: where a ReLU's input is 0 but for rounding its slope is either.

    In double precision all that changes gradients noticeably among them is the side of a kink.
    """
    low, high = None, None
    for draw in range(draws):
        other = copy.deepcopy(model).double()
        found = gradients_of(near(other) if draw else other, loss)
        low = found if low is None else {n: torch.minimum(low[n], g) for n, g in found.items()}
        high = found if high is None else {n: torch.maximum(high[n], g) for n, g in found.items()}
    width = max(float((high[n] - low[n]).max()) for n in low) / largest
    outside = max(float(torch.maximum(low[n] - theirs[n].double(), theirs[n].double() - high[n]).max()) for n in low) / largest
    return max(outside, 0.0), width


def ten_steps(model, loss, x):
    """Losses of ten steps of SGD, and the scores after them."""
    # At five times this rate PyTorch is 1e-3 from itself in double precision.
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    losses = []
    for _ in range(10):
        sgd.zero_grad()
        value = loss(model.train())
        value.backward()
        sgd.step()
        losses.append(value.item())
    model.eval()
    with torch.no_grad():
        return np.array(losses), model(x).numpy()


def single(folder):
    """One function or layer: scores and gradients in evaluation."""
    code = module(folder)
    model, x = code.load().eval(), torch.tensor(np.load(folder / "images.npy"))
    y, sums = model(x), torch.tensor(np.load(folder / "sums.npy"))
    scores, gradients = away(y.detach().numpy(), np.load(folder / "scores.npy")), 0.0
    if (folder / "gradients.safetensors").exists():
        theirs = code.read(folder / "gradients.safetensors")
        found = gradients_of(model, lambda model: (model(x) * sums).sum())
        gradients = max(away(found[name].numpy(), g.numpy()) if g.abs().max() > 1e-6 else float(found[name].abs().max()) for name, g in theirs.items())
    return scores, gradients


def network(folder):
    global failed
    code = module(folder)
    model = code.load()
    x, y = torch.tensor(np.load(folder / "images.npy")), torch.tensor(np.load(folder / "labels.npy")).long()

    values = torch.tensor(np.load(folder / "targets.npy")) if (folder / "targets.npy").exists() else None

    def loss(model):
        images = x.to(next(model.parameters()).dtype)
        if values is not None:
            return F.mse_loss(model(images), values.to(images.dtype))
        return F.cross_entropy(F.interpolate(model(images), size=y.shape[-2:], mode="bilinear", align_corners=True), y, ignore_index=255)

    model.eval()
    with torch.no_grad():
        scores = away(model(x).numpy(), np.load(folder / "scores.npy"))
    model.train()
    found = gradients_of(model, loss)
    # Trellis has none of what the loss does not depend on.
    read = code.read(folder / "gradients.safetensors")
    theirs = {name: read.get(name, torch.zeros_like(g)) for name, g in found.items()}
    largest = max(float(g.abs().max()) for g in theirs.values())
    gradients, kinks = max(float((g - theirs[n]).abs().max()) / largest for n, g in found.items()), ""
    if gradients >= 1e-4:
        gradients, width = beyond_kinks(code.load().train(), loss, theirs, largest)
        kinks = f" beyond kinks, which move them by {width:.1e}"
        failed = failed or width > 1e-2
    model = code.load()
    losses, trained = ten_steps(model, loss, x)
    steps, after, rounding = away(losses, np.load(folder / "losses.npy")), away(np.load(folder / "trained.npy"), trained), ""
    if after >= 1e-4:
        # Kinks again: what ten steps make of weights that rounding cannot tell from these.
        spread = max(away(ten_steps(near(code.load()), loss, x)[1], trained) for _ in range(4))
        rounding = f", where rounding is worth {spread:.1e}"
        failed = failed or after > 3 * spread or spread > 1e-2
    with torch.no_grad():
        other = model(torch.zeros(1, 3, 81, 64)).shape
    print(f"{folder.name:14s} scores {scores:.1e}, gradients {gradients:.1e}{kinks}, losses of ten steps {steps:.1e}, scores after them {after:.1e}{rounding}, {len(list(model.modules()))} modules, {tuple(other)}", flush=True)
    failed = failed or not (scores < 1e-4 and gradients < 1e-4 and steps < 1e-4)
    code.save(model, folder / "torch.safetensors")
    np.save(folder / "torch.npy", trained)


torch.manual_seed(0)
root = Path(sys.argv[1])
for kind in ("functions", "layers"):
    worst = [0.0, 0.0]
    folders = sorted((root / kind).iterdir())
    for folder in folders:
        try:
            result = single(folder)
        except Exception as problem:
            result, worst = (float("nan"), str(problem)), worst
        if not all(isinstance(r, float) and r < 1e-4 for r in result):
            print(f"{kind} {folder.name}: scores {result[0]}, gradients {result[1]}")
            failed = True
        else:
            worst = [max(a, b) for a, b in zip(worst, result)]
    print(f"{len(folders)} {kind}: scores {worst[0]:.1e}, gradients {worst[1]:.1e}")
for folder in sorted(p for p in root.iterdir() if (p / "labels.npy").exists() and fnmatch(p.name, sys.argv[2] if len(sys.argv) > 2 else "*")):
    network(folder)
sys.exit(1 if failed else 0)
