"""Compares exported networks with what Trellis computed of them: scores, gradients, ten steps of SGD; trains them and writes them for the way back."""
import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F


def away(a, b):
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12))


torch.manual_seed(0)
failed = False
for folder in sorted(p for p in Path(sys.argv[1]).iterdir() if p.is_dir()):
    spec = importlib.util.spec_from_file_location("network", folder / "network.py")
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    model = code.load()
    x, y = torch.tensor(np.load(folder / "images.npy")), torch.tensor(np.load(folder / "labels.npy")).long()

    def loss():
        return F.cross_entropy(F.interpolate(model(x), size=y.shape[-2:], mode="bilinear", align_corners=True), y, ignore_index=255)

    model.eval()
    with torch.no_grad():
        scores = away(model(x).numpy(), np.load(folder / "scores.npy"))
    model.train()
    loss().backward()
    theirs = code.read(folder / "gradients.safetensors")
    largest = max(float(g.abs().max()) for g in theirs.values())
    gradients = max(float((p.grad - theirs[n]).abs().max()) / largest for n, p in model.named_parameters())
    model = code.load()
    sgd = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    losses = []
    for _ in range(10):
        sgd.zero_grad()
        value = loss()
        value.backward()
        sgd.step()
        losses.append(value.item())
    steps = away(np.array(losses), np.load(folder / "losses.npy"))
    model.eval()
    with torch.no_grad():
        trained = model(x).numpy()
        other = model(torch.zeros(1, 3, 81, 64)).shape
    after = away(trained, np.load(folder / "trained.npy"))
    print(f"{folder.name:14s} scores {scores:.1e}, gradients {gradients:.1e}, losses of ten steps {steps:.1e}, scores after them {after:.1e}, {len(list(model.modules()))} modules, {tuple(other)}")
    failed = failed or not (scores < 1e-4 and gradients < 1e-4 and steps < 1e-4 and after < 1e-3)
    code.save(model, folder / "torch.safetensors")
    np.save(folder / "torch.npy", trained)
sys.exit(1 if failed else 0)
