"""PyTorch's numbers for every function of Tests/Scripts/registry/functions.lua, and for every measure: writes Tests/Scripts/golden/functions.safetensors.

Run from the root of the repository: python Tests/References/functions.py
Each function with the same arguments' shapes as there; beside its value y stand the derivatives of the sum of y times `weights`.
"""
import json
import struct
from pathlib import Path

import torch
import torch.nn.functional as F

inf = float("inf")


def ints(*values):
    return torch.tensor(values)


def entry(f, *shapes, low=-1.0, high=1.0):
    return f, shapes, low, high


def plain(name, *shapes, low=-1.0, high=1.0):
    return entry(getattr(torch, name), *shapes, low=low, high=high)


def silog(x, y, lam=0.5, root=False, mask=None):
    d = x.log() - y.log()
    d = d[mask.bool()] if mask is not None else d
    value = (d ** 2).mean() - lam * d.mean() ** 2
    return value.sqrt() if root else value


def berhu(x, y, share=0.2):
    d = (x - y).abs()
    c = share * d.max().detach()
    return torch.where(d <= c, d, (d * d + c * c) / (2 * c)).mean()


def weighted_bce(x, y, w):
    """With pos_weight, which PyTorch's own has no derivative for."""
    return (1 - y) * x + (1 + (w - 1) * y) * F.softplus(-x)


def dice(x, labels, smooth=1.0, classes="present", ignore=255):
    """Milletari et al., 2016, over the classes that are there, or over all."""
    p, count = x.softmax(1), x.shape[1]
    counts = (labels != ignore).float().unsqueeze(1)
    y = F.one_hot(labels.clamp(max=count - 1), count).movedim(-1, 1).float() * counts
    dims = [0] + list(range(2, x.dim()))
    score = (2 * (p * y).sum(dims) + smooth) / ((p * counts).sum(dims) + y.sum(dims) + smooth)
    there = torch.ones(count, dtype=torch.bool) if classes == "all" else y.sum(dims) > 0
    return (1 - score)[there].mean()


def focal(x, labels, gamma=2.0, weights=None):
    """Lin et al., 2017; the mean over places, whatever their weights."""
    log_p = F.log_softmax(x, 1).gather(1, labels.clamp(max=x.shape[1] - 1).unsqueeze(1)).squeeze(1)
    counts = (labels != 255).float()
    w = counts if weights is None else weights[labels.clamp(max=x.shape[1] - 1)] * counts
    return (-(1 - log_p.exp()) ** gamma * log_p * w).sum() / counts.sum()


def focal_binary(x, y, gamma=2.0, alpha=None):
    p = torch.sigmoid(x)
    pt = p * y + (1 - p) * (1 - y)
    weight = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return (weight * (1 - pt) ** gamma * F.binary_cross_entropy_with_logits(x, y, reduction="none")).mean()


def ohem(x, labels, threshold=0.7, share=1 / 16):
    """Cross entropy over the places whose class has a probability below the threshold, and at least that share of them."""
    each = F.cross_entropy(x, labels, ignore_index=255, reduction="none")[labels != 255]
    least = max(1, int(-(-share * each.numel() // 1)))
    hard = each > -torch.tensor(threshold).log()
    return each[hard].mean() if hard.sum() >= least else each.topk(least).values.mean()


def lovasz(x, labels, classes="present"):
    """Berman et al., 2018."""
    p, keep = x.softmax(1)[labels != 255], labels[labels != 255]
    losses = []
    for c in range(x.shape[1]):
        y = (keep == c).float()
        if classes == "present" and y.sum() == 0:
            continue
        errors, order = (y - p[:, c]).abs().sort(descending=True)
        y = y[order]
        jaccard = 1 - (y.sum() - y.cumsum(0)) / (y.sum() + (1 - y).cumsum(0))
        jaccard[1:] = jaccard[1:] - jaccard[:-1].clone()
        losses.append((errors * jaccard.detach()).sum())
    return torch.stack(losses).mean()


def norm(x, w, b, mean=None, variance=None):
    if mean is None:
        return F.batch_norm(x, None, None, w, b, True, 0.0, 1e-5)
    return (x - mean) / (variance + 1e-5).sqrt() * w + b


def cumprod_of_rows(a):
    return a[0] * a[1]


FUNCTIONS = {
    "tensor.__add": entry(lambda a, b: a + b + (a + 2) + (3 + b), (2, 3), (3,)),
    "tensor.__sub": entry(lambda a, b: (a - b) * (1 - a) + (b - 2), (2, 3), (1, 3)),
    "tensor.__mul": entry(lambda a, b: a * b * 2, (2, 3), (2, 1)),
    "tensor.__div": entry(lambda a, b: a / b + 2 / b + a / 3, (2, 3), (3,), low=0.5),
    "tensor.__pow": entry(lambda a, b: a ** b + a ** 2 + a ** -1.5 + 2 ** a, (2, 3), (3,), low=0.5),
    "tensor.__mod": entry(lambda a, b: torch.remainder(a + 1, b + 0.15) + torch.remainder(a, 0.7), (2, 3), (3,), low=0.35, high=0.4),
    "tensor.__idiv": entry(lambda a, b: torch.div(a + 1, b + 0.15, rounding_mode="floor"), (2, 3), (3,), low=0.35, high=0.4),
    "tensor.__unm": entry(lambda a: -a, (3,)),
    "tensor.__pairs": entry(cumprod_of_rows, (2, 3)),
    "tensor:add": entry(lambda a, b: a + b + 1, (2, 3), (3,)),
    "tensor:sub": entry(lambda a, b: a - b - 1, (2, 3), (3,)),
    "tensor:mul": entry(lambda a, b: a * b * 3, (2, 3), (3,)),
    "tensor:div": entry(lambda a, b: a / b / 3, (2, 3), (3,), low=0.5),
    "tensor:maximum": entry(lambda a, b: torch.maximum(torch.maximum(a, b), torch.tensor(0.2)), (2, 3), (3,)),
    "tensor:minimum": entry(lambda a, b: torch.minimum(torch.minimum(a, b), torch.tensor(0.2)), (2, 3), (3,)),
    "tensor:pow": entry(lambda a, b: a.pow(b) + a.pow(1) + a.pow(2) + a.pow(3) + a.pow(0), (2, 3), (3,), low=0.5),
    "tensor:clamp": entry(lambda a: a.clamp(-0.31, 0.42) + a.clamp(max=0.1) + a.clamp(min=-0.1), (2, 3)),
    "tensor:lerp": entry(lambda a, b, w: torch.lerp(a, b, w.expand(2, 3)) + torch.lerp(a, b, 0.3), (2, 3), (2, 3), (3,)),
    "tensor:eq": entry(lambda a: a.eq(0.5), (3,)), "tensor:ne": entry(lambda a: a.ne(0.5), (3,)), "tensor:lt": entry(lambda a: a.lt(0.5), (3,)),
    "tensor:le": entry(lambda a: a.le(0.5), (3,)), "tensor:gt": entry(lambda a: a.gt(0.5), (3,)), "tensor:ge": entry(lambda a: a.ge(0.5), (3,)),
    "tensor:abs": plain("abs", (2, 3)), "tensor:neg": plain("neg", (2, 3)), "tensor:sign": plain("sign", (2, 3)), "tensor:exp": plain("exp", (2, 3)),
    "tensor:log": plain("log", (2, 3), low=0.5), "tensor:sqrt": plain("sqrt", (2, 3), low=0.5), "tensor:rsqrt": plain("rsqrt", (2, 3), low=0.5),
    "tensor:reciprocal": plain("reciprocal", (2, 3), low=0.5), "tensor:square": plain("square", (2, 3)), "tensor:relu": plain("relu", (2, 3)),
    "tensor:sigmoid": plain("sigmoid", (2, 3)), "tensor:tanh": plain("tanh", (2, 3)), "tensor:sin": plain("sin", (2, 3)), "tensor:cos": plain("cos", (2, 3)),
    "tensor:floor": plain("floor", (2, 3), low=0.2, high=0.8), "tensor:ceil": plain("ceil", (2, 3), low=0.2, high=0.8),
    "tensor:round": plain("round", (2, 3), low=0.6, high=0.9), "tensor:erf": plain("erf", (2, 3)),
    "tensor:gelu": entry(F.gelu, (2, 3)), "tensor:silu": entry(F.silu, (2, 3)), "tensor:hard_sigmoid": entry(F.hardsigmoid, (2, 3)),
    "tensor:hard_swish": entry(F.hardswish, (2, 3)),
    "tensor:sum": entry(lambda a: a.sum() + a.sum(0) * a.sum(1, keepdim=True) + a, (2, 3)),
    "tensor:mean": entry(lambda a: a.mean() * a.mean(1), (2, 3)),
    "tensor:var": entry(lambda a: a.var() + a.var(1) + a.var(0, correction=0).sum(), (2, 3)),
    "tensor:std": entry(lambda a: a.std() + a.std(1, correction=0), (2, 3)),
    "tensor:prod": entry(lambda a: a.prod() * a.prod(1), (2, 3)),
    "tensor:norm": entry(lambda a: a.norm() + a.norm(1, 1) + a.norm(3) + a.norm(inf), (2, 3)),
    "tensor:max": entry(lambda a: a.max() * a.max(1).values, (2, 3)), "tensor:min": entry(lambda a: a.min() * a.min(1).values, (2, 3)),
    "tensor:argmax": entry(lambda a: a.argmax(1) + 1, (2, 3)), "tensor:argmin": entry(lambda a: a.argmin(1) + 1, (2, 3)),
    "tensor:cumsum": entry(lambda a: a.cumsum(1) * a.cumsum(0), (2, 3)),
    "tensor:logsumexp": entry(lambda a: a.logsumexp((0, 1)) + a.logsumexp(1, keepdim=True), (2, 3)),
    "tensor:softmax": entry(lambda a: a.softmax(1), (2, 3)), "tensor:log_softmax": entry(lambda a: a.log_softmax(0), (2, 3)),
    "tensor:topk": entry(lambda a: a.topk(2).values, (2, 3)), "tensor:sort": entry(lambda a: a.sort(1, descending=True).values, (2, 3)),
    "tensor:matmul": entry(lambda a, b: a @ b, (2, 2, 3), (3, 4)),
    "tensor:reshape": entry(lambda a: a.reshape(3, 2), (2, 3)), "tensor:view": entry(lambda a: a.view(3, 2), (2, 3)), "tensor:flatten": entry(lambda a: a.flatten(), (2, 3)),
    "tensor:squeeze": entry(lambda a: a.squeeze(), (2, 1, 3)), "tensor:unsqueeze": entry(lambda a: a.unsqueeze(1), (2, 3)),
    "tensor:transpose": entry(lambda a: a.transpose(0, 1), (2, 3)), "tensor:t": entry(lambda a: a.t(), (2, 3)), "tensor:permute": entry(lambda a: a.permute(2, 0, 1), (2, 3, 2)),
    "tensor:expand": entry(lambda a: a.expand(2, 3), (1, 3)), "tensor:narrow": entry(lambda a: a.narrow(1, 1, 2), (2, 3)), "tensor:select": entry(lambda a: a.select(1, 1), (2, 3)),
    "tensor:slice": entry(lambda a: a[:, 0:3:2], (2, 3)), "tensor:split": entry(lambda a: a.split(2, 1)[0], (2, 3)), "tensor:chunk": entry(lambda a: a.chunk(3, 1)[1], (2, 3)),
    "tensor:flip": entry(lambda a: a.flip((0, 1)), (2, 3)), "tensor:pad": entry(lambda a: F.pad(a, (0, 2, 1, 0), value=3.0), (2, 3)),
    "tensor:gather": entry(lambda a: a.gather(1, torch.tensor([[0, 0], [2, 0]])), (2, 3)),
    "tensor:scatter": entry(lambda a, s: a.scatter(1, torch.tensor([[0, 1], [2, 0]]), s), (2, 3), (2, 2)),
    "tensor:scatter_add": entry(lambda a, s: a.scatter_add(1, torch.tensor([[0, 0], [2, 0]]), s), (2, 3), (2, 2)),
    "tensor.einsum": entry(lambda a, b: torch.einsum("ij,jk->ki", a, b) * torch.einsum("ij,jj->", a, b), (2, 3), (3, 3)),
    "tensor:index_select": entry(lambda a: a.index_select(1, ints(2, 0, 2)), (2, 3)),
    "tensor:masked_fill": entry(lambda a, m: a.masked_fill(m > 2, 2.0) * a.masked_fill(m > -2, 2.0) + 0 * m, (2, 3), (2, 3)),
    "tensor:one_hot": entry(lambda: F.one_hot(ints(0, 2), 3)),
    "tensor.concat": entry(lambda a, b: torch.cat([a, b], 1), (2, 3), (2, 1)), "tensor.cat": entry(lambda a, b: torch.cat([a, b]), (2, 3), (1, 3)),
    "tensor.stack": entry(lambda a, b: torch.stack([a, b], 1), (2, 3), (2, 3)),
    "tensor.where": entry(lambda c, a, b: torch.where(c > 0, a, b) + torch.where(c != 0, a, 2.0) + 0 * c, (2, 3), (2, 3), (3,), low=0.2),
    "tensor:clone": entry(lambda a: a.clone(), (2, 3)), "tensor:contiguous": entry(lambda a: a.t().contiguous(), (2, 3)), "tensor:detach": entry(lambda a: a.detach(), (3,)),
    "tensor:cast": entry(lambda a: a.float(), (2, 3)), "tensor:float": entry(lambda a: a.float(), (2, 3)), "tensor:int": entry(lambda a: a.int(), (3,)),
    "tensor.zeros_like": entry(lambda a: torch.zeros_like(a), (3,)), "tensor.ones_like": entry(lambda a: torch.ones_like(a), (3,)),
    "nn.functional.conv2d": entry(lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1), (1, 2, 4, 4), (2, 2, 3, 3), (2,)),
    "nn.functional.conv_transpose2d": entry(lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1), (1, 2, 2, 3), (2, 2, 3, 3), (2,)),
    "nn.functional.layer_norm": entry(lambda x, w, b: F.layer_norm(x, (2, 3), w, b), (2, 2, 3), (2, 3), (2, 3)),
    "nn.functional.group_norm": entry(lambda x, w, b: F.group_norm(x, 2, w, b), (2, 4, 3), (4,), (4,)),
    "nn.functional.pixel_shuffle": entry(lambda x: F.pixel_shuffle(x, 2), (1, 4, 2, 1)), "nn.functional.pixel_unshuffle": entry(lambda x: F.pixel_unshuffle(x, 2), (1, 1, 2, 4)),
    "nn.functional.unfold": entry(lambda x: F.unfold(x, 2, padding=1), (1, 2, 2, 3)),
    "nn.functional.attention": entry(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True) + F.scaled_dot_product_attention(q, k, v), (2, 3, 2), (2, 3, 2), (2, 3, 2)),
    "nn.functional.gelu": entry(F.gelu, (3,)), "nn.functional.silu": entry(F.silu, (3,)), "nn.functional.hard_sigmoid": entry(F.hardsigmoid, (3,)),
    "nn.functional.hard_swish": entry(F.hardswish, (3,)),
    "nn.functional.linear": entry(F.linear, (2, 3), (2, 3), (2,)),
    "nn.functional.batch_norm": entry(lambda x, m, v, w, b: norm(x, w, b, m, v ** 2 + 0.5) + norm(x, w, b), (4, 2), (2,), (2,), (2,), (2,)),
    "nn.functional.max_pool2d": entry(lambda x: F.max_pool2d(x, 2), (1, 1, 4, 4)),
    "nn.functional.avg_pool2d": entry(lambda x: F.avg_pool2d(x, 3, stride=1, padding=1), (1, 1, 3, 3)),
    "nn.functional.resize": entry(lambda x: F.interpolate(x, (4, 3), mode="bilinear", align_corners=True), (1, 1, 2, 3)),
    "nn.functional.interpolate": entry(lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), (1, 1, 2, 2)),
    "nn.functional.dropout": entry(lambda x: F.dropout(x, 0.0), (3,)), "nn.functional.classes": entry(lambda x: x.argmax(1), (2, 3)),
    "nn.functional.relu": entry(F.relu, (3,)), "nn.functional.sigmoid": entry(torch.sigmoid, (3,)), "nn.functional.tanh": entry(torch.tanh, (3,)),
    "nn.mse_loss": entry(F.mse_loss, (3,), (3,)), "nn.l1_loss": entry(F.l1_loss, (3,), (3,)),
    "nn.cross_entropy": entry(
        lambda x: F.cross_entropy(x, ints(1, 0), weight=torch.tensor([1.0, 2, 3])) + F.cross_entropy(x, ints(2, 255), ignore_index=255), (2, 3)),
    "nn.smooth_l1_loss": entry(
        lambda x, y: F.smooth_l1_loss(x, y) + F.smooth_l1_loss(x[[0, 2]], y[[0, 2]], beta=0.2), (3,), (3,)),
    "nn.berhu_loss": entry(lambda x: berhu(torch.cat([x, torch.tensor([9.0])]), torch.tensor([0.1, -3, 0.2, 0])), (3,)),
    "nn.silog_loss": entry(lambda x, y: silog(x, y) + silog(x, y, 0.85, True, ints(1, 1, 0)), (3,), (3,), low=0.5),
    "nn.bce_with_logits": entry(
        lambda x, y, w: F.binary_cross_entropy_with_logits(x, y) + weighted_bce(x, y, w)[[0, 2]].mean(), (3,), (3,), (3,)),
    "nn.dice_loss": entry(lambda x: dice(x, ints(1, 0)) + dice(x, ints(2, 255), 0.1, "all"), (2, 3)),
    "nn.focal_loss": entry(lambda x, w: focal(x, ints(1, 0), weights=w) + focal(x, ints(2, 255), 1.5), (2, 3), (3,)),
    "nn.ohem_loss": entry(lambda x: ohem(x, ints(1, 0), share=1.0) + ohem(x, ints(2, 255), 0.999), (2, 3)),
    "nn.lovasz_loss": entry(lambda x: lovasz(x, ints(1, 0)) + lovasz(x, ints(2, 255), "all"), (2, 3)),
    "module.__call": entry(lambda x: x.tanh().softmax(1).flatten(1), (2, 3)),
}


class StripPool(torch.nn.Module):
    """Hou et al., 2020: SPBlock of the published code, with the product that it is for."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(channels, channels, (3, 1), padding=(1, 0), bias=False)
        self.bn1 = torch.nn.BatchNorm2d(channels)
        self.conv2 = torch.nn.Conv2d(channels, channels, (1, 3), padding=(0, 1), bias=False)
        self.bn2 = torch.nn.BatchNorm2d(channels)
        self.conv3 = torch.nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        height, width = x.shape[2:]
        rows = self.bn1(self.conv1(F.adaptive_avg_pool2d(x, (None, 1)))).expand(-1, -1, height, width)
        columns = self.bn2(self.conv2(F.adaptive_avg_pool2d(x, (1, None)))).expand(-1, -1, height, width)
        return x * torch.sigmoid(self.conv3(F.relu(rows + columns)))


LAYERS = {"nn.strip_pool": (StripPool(4), (2, 4, 5, 7))}


def boundary_iou(found, labels, classes, distance):
    """Cheng et al., 2021: a pixel is near the edge where another class, or the outside, is at most `distance` rows and columns away."""
    size = 2 * distance + 1

    def edge(mask):
        inner = -F.max_pool2d(-F.pad(mask[:, None].float(), [distance] * 4), size, stride=1)[:, 0]
        return mask & (inner < 1)

    shown = torch.where(labels == 255, 255, found)
    values = []
    for c in range(classes):
        a, b = edge(shown == c), edge(labels == c)
        if (a | b).any():
            values.append((a & b).sum() / (a | b).sum())
    return torch.stack(values).mean()


def mean_iou(found, labels, classes):
    keep = labels != 255
    counts = torch.bincount(labels[keep] * classes + found[keep], minlength=classes ** 2).reshape(classes, classes).float()
    return (counts.diag() / (counts.sum(0) + counts.sum(1) - counts.diag())).mean()


def pck(p, q, distance, seen):
    near = (p - q).norm(dim=-1) <= distance[:, None]
    return near[seen.bool()].float().mean()


def measures(draw):
    """Each measure with its arguments by position, and what it gives."""
    x, y, mask = 0.5 + 3 * draw(40), 0.5 + 3 * draw(40), (draw(40) > 0.4).int()
    a, b = x[mask.bool()], y[mask.bool()]
    ratio = torch.maximum(a / b, b / a)
    labels, found = (F.interpolate(draw(2, 1, 3, 4), (12, 16), mode="bilinear", align_corners=True)[:, 0].mul(2.999).long() for _ in range(2))
    labels[0, 2, 3] = labels[1, 7, 7] = 255
    p, q, distance, seen = 10 * draw(4, 6, 2), 10 * draw(4, 6, 2), torch.tensor([2.0, 4, 5, 6]), (draw(4, 6) > 0.3).int()
    maps = [found.int(), labels.int()]
    return {
        "abs_rel": ([x, y, mask], ((a - b).abs() / b).mean()), "sq_rel": ([x, y, mask], ((a - b) ** 2 / b).mean()), "rmse": ([x, y, mask], ((a - b) ** 2).mean().sqrt()),
        "rmse_log": ([x, y, mask], ((a.log() - b.log()) ** 2).mean().sqrt()), "log10": ([x, y, mask], (a.log10() - b.log10()).abs().mean()),
        "delta": ([x, y, mask], (ratio < 1.25).float().mean()), "boundary_iou": (maps, boundary_iou(found, labels, 3, 2)), "confusion": (maps, mean_iou(found, labels, 3)),
        "pck": ([p, q, distance, seen], pck(p, q, distance, seen)),
    }


def save(path, tensors):
    header, parts, offset = {}, [], 0
    for name, tensor in tensors.items():
        tensor = tensor.detach().contiguous()
        tensor = tensor.float() if tensor.is_floating_point() or tensor.dtype == torch.bool else tensor.int()
        part = tensor.numpy().tobytes()
        header[name] = {"dtype": "F32" if tensor.is_floating_point() else "I32", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(part)]}
        parts.append(part)
        offset += len(part)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def main():
    random = torch.Generator().manual_seed(1)
    golden = {}
    for name, (f, shapes, low, high) in FUNCTIONS.items():
        arguments = [(low + (high - low) * torch.rand(shape, generator=random)).requires_grad_() for shape in shapes]
        y = f(*arguments)
        for i, x in enumerate(arguments):
            golden[f"{name}/x{i + 1}"] = x
        golden[f"{name}/y"] = y
        if not (y.is_floating_point() and y.requires_grad):
            continue
        weights = 2 * torch.rand(y.shape, generator=random) - 1
        golden[f"{name}/weights"] = weights
        for i, g in enumerate(torch.autograd.grad((y * weights).sum(), arguments, allow_unused=True)):
            golden[f"{name}/g{i + 1}"] = torch.zeros(shapes[i]) if g is None else g
    for name, (layer, shape) in LAYERS.items():
        with torch.no_grad():
            for key, value in layer.state_dict().items():
                if value.is_floating_point():
                    value.copy_(torch.rand(value.shape, generator=random) + (0.5 if "var" in key or "weight" in key and "bn" in key else -0.5))
                    golden[f"{name}/state.{key}"] = value.clone()
        x = (2 * torch.rand(shape, generator=random) - 1).requires_grad_()
        golden[f"{name}/x1"], golden[f"{name}/y"] = x, layer.eval()(x)
        y = layer.train()(x)
        weights = 2 * torch.rand(y.shape, generator=random) - 1
        golden[f"{name}/trained"], golden[f"{name}/weights"] = y, weights
        golden[f"{name}/g1"], = torch.autograd.grad((y * weights).sum(), [x])
    for name, (arguments, value) in measures(lambda *shape: torch.rand(shape, generator=random)).items():
        for i, x in enumerate(arguments):
            golden[f"metrics.{name}/x{i + 1}"] = x
        golden[f"metrics.{name}/y"] = value
    save("Tests/Scripts/golden/functions.safetensors", golden)


main()
