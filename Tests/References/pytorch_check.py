"""Compares exported networks with what Trellis computed of them: scores, gradients and ten steps of SGD, in evaluation and in training, and running statistics;
trains them and writes them for the way back.

pytorch_check.py DIR [NAMES], a pattern of networks."""
import importlib.util
import sys
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

failed = False


def away(a, b, least=1e-12):
    return float(np.abs(a - b).max() / max(np.abs(b).max(), least))


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


def furthest(found, expected):
    """Of all tensors, over the largest value of any of them."""
    largest = max(max(float(v.abs().max()) for v in expected.values()), 1e-12)
    return max(float((found[n].double() - v.double()).abs().max()) for n, v in expected.items()) / largest


def ten_steps(model, loss, x):
    """Losses of ten steps of SGD in the mode that the network is in, and the scores in evaluation after them."""
    sgd = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, weight_decay=0.01)
    losses = []
    for _ in range(10):
        sgd.zero_grad()
        value = loss(model)
        value.backward()
        sgd.step()
        losses.append(value.item())
    model.eval()
    with torch.no_grad():
        return np.array(losses), model(x.to(next(model.parameters()).dtype)).double().numpy()


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


class Comparison:
    """A network of the folder beside what Trellis computed of it.

    In evaluation, where every number depends on few others, all agrees to 1e-4: scores, gradients, ten steps of SGD. In training norms go by the batch; where that
    stretches rounding, Trellis has to be about as near to PyTorch's result in double precision as PyTorch's own in single precision are, and to 9e-2.
    """

    def __init__(self, folder):
        self.folder, self.code, self.notes, self.fine = folder, module(folder), [], True
        self.x, self.y = torch.tensor(np.load(folder / "images.npy")), torch.tensor(np.load(folder / "labels.npy")).long()
        self.targets = torch.tensor(np.load(folder / "targets.npy")) if (folder / "targets.npy").exists() else None

    def fresh(self):
        return self.code.load().train()

    def loss(self, model, part=slice(None)):
        images = self.x[part].to(next(model.parameters()).dtype)
        if self.targets is not None:
            return F.mse_loss(model(images), self.targets[part].to(images.dtype))
        return F.cross_entropy(F.interpolate(model(images), size=self.y.shape[-2:], mode="bilinear", align_corners=True), self.y[part], ignore_index=255)

    def theirs(self, name):
        return np.load(self.folder / (name + ".npy"))

    def gradients(self, name, found):
        """Trellis has none of what the loss does not depend on."""
        read = self.code.read(self.folder / (name + ".safetensors"))
        return {n: read.get(n, torch.zeros_like(g)) for n, g in found.items()}

    def say(self, what, value, bound=1e-4):
        self.notes.append(f"{what} {value:.1e}")
        self.fine = self.fine and value < bound

    def evaluation(self):
        model = self.code.load().eval()
        with torch.no_grad():
            self.say("scores", away(model(self.x).numpy(), self.theirs("scores")))
        each = []
        for i in range(4):
            found = gradients_of(model, lambda model: self.loss(model, slice(i, i + 1)))
            each.append(furthest(found, self.gradients(f"gradients_{i + 1}", found)))
        # Where a ReLU's input is 0 but for rounding its slope is either: that may be so in one of the images, and moves few derivatives a little.
        each.sort()
        self.say("gradients", each[2])
        if each[3] >= 1e-4:
            self.say("and, of an image with a kink,", each[3], 2e-2)
        losses, scores = ten_steps(model, self.loss, self.x)
        self.say("losses of ten steps", away(losses, self.theirs("evaluation_losses")))
        self.say("scores after them", away(self.theirs("evaluation_scores"), scores))

    def training(self):
        model, ran = self.fresh(), set()
        for name, module in model.named_modules():
            module.register_forward_hook(lambda *_, name=name: ran.add(name))
        scores = scores_of(model, self.x)
        # The code does not compute what nothing reads; Trellis does where a script asks for it, and the norms there see a batch.
        statistics = {n: b for n, b in model.named_buffers() if "running_" in n and n.rpartition(".")[0] in ran}
        if statistics:
            # Means may be 0 but for rounding.
            read = self.code.read(self.folder / "statistics.safetensors")
            self.say("; in training: running statistics", max(away(read[n].numpy(), b.numpy(), 1e-2) for n, b in statistics.items()))
        self.rounded("scores", scores, {"": torch.tensor(self.theirs("batch_scores"))}, lambda model: scores_of(model, self.x))
        found = gradients_of(self.fresh(), self.loss)
        self.rounded("gradients", found, self.gradients("batch_gradients", found), lambda model: gradients_of(model, self.loss))
        trained = self.fresh()
        results = ten_steps(trained, self.loss, self.x)
        for part, what in enumerate(("losses of ten steps", "scores after them")):
            theirs = self.theirs(("training_losses", "training_scores")[part])
            self.rounded(what, {"": torch.tensor(results[part])}, {"": torch.tensor(theirs)}, lambda model: {"": torch.tensor(ten_steps(model, self.loss, self.x)[part])})
        self.code.save(trained, self.folder / "torch.safetensors")
        np.save(self.folder / "torch.npy", results[1].astype(np.float32))

    def rounded(self, what, found, theirs, compute):
        """To 1e-4; where PyTorch itself is not that near to its double precision, not much further from it. What rounding moves by more than 3e-2 would show little."""
        value = furthest(found, theirs)
        if value < 1e-4:
            return self.say(what, value)
        truth = compute(self.fresh().double())
        own = max(furthest(compute(near(self.fresh())), truth) for _ in range(4))
        self.say(f"{what} (PyTorch is {own:.1e} from its double precision)", furthest(theirs, truth), max(3 * min(own, 3e-2), 1e-4))

    def other_size(self):
        with torch.no_grad():
            self.notes.append(f"at another size {tuple(self.code.load().eval()(torch.zeros(1, 3, 81, 64)).shape)}")


def scores_of(model, x):
    with torch.no_grad():
        return {"": model(x.to(next(model.parameters()).dtype))}


def network(folder):
    global failed
    comparison = Comparison(folder)
    comparison.evaluation()
    comparison.training()
    comparison.other_size()
    print(f"{folder.name:14s} {', '.join(comparison.notes).replace(', ;', ';')}" + ("" if comparison.fine else "  <- too far"), flush=True)
    failed = failed or not comparison.fine


torch.manual_seed(0)
root = Path(sys.argv[1])
for kind in ("functions", "layers"):
    worst = [0.0, 0.0]
    folders = sorted((root / kind).iterdir()) if (root / kind).exists() else []
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
