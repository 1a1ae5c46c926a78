#!/usr/bin/env python3
"""Writes SearchTests/Fixtures/derived.safetensors: weights and outputs of small derived networks, computed by PyTorch.

Usage: derived_golden.py torch_derived.py OUT.safetensors

The published cell on two paths, with narrow stem, ASPP and decoder so that the file stays small. Tensors are named as in Trellis,
NAME.param.PATH, with NAME.images and NAME.scores beside them; the metadata has NAME.path.
"""
import importlib.util
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

NARROW = dict(filters=1, classes=3, stem=4, stem_output=6, aspp=5, low=3, decoder=7)
PATHS = {"published": [0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1], "hourglass": [1, 2, 1, 0, 1]}
# Ours of the reference's names of a cell's operators.
OPERATORS = {"atrous": "atrous_conv", "separable": "sep_conv"}


def load(path):
    spec = importlib.util.spec_from_file_location("torch_derived", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def network(reference, path, filters, classes, stem=64, stem_output=128, aspp=256, low=48, decoder=256):
    """The reference's network with other widths; rates of 96 over the last stride; the decoder at stride 4, whatever the third cell's."""
    rate = max(1, 96 // (4 << path[-1]))

    class Network(reference.AutoDeepLab):
        def __init__(self):
            nn.Module.__init__(self)
            cbr = reference.conv_bn_relu
            self.stem = nn.ModuleList([cbr(3, stem, 3, 2), cbr(stem, stem, 3), cbr(stem, stem_output, 3, 2)])
            self.cells = nn.ModuleList()
            back, prev, level = stem, stem_output, 0
            for d in path:
                self.cells.append(reference.Cell(prev, back, filters << d, 2 if d > level else 1))
                back, prev, level = prev, 5 * (filters << d), d
            self.aspp = reference.ASPP(prev, aspp, (rate, 2 * rate, 3 * rate))
            self.low = cbr(5 * (filters << path[2]), low)
            self.decoder = nn.Sequential(cbr(aspp + low, decoder, 3), cbr(decoder, decoder, 3), nn.Conv2d(decoder, classes, 1))

        def forward(self, x):
            back = self.stem[1](self.stem[0](x))
            prev = self.stem[2](back)
            sizes = [tuple(prev.shape[2:])]
            for _ in range(3):
                sizes.append(tuple((n + 1) // 2 for n in sizes[-1]))
            level = 0
            for i, (d, cell) in enumerate(zip(path, self.cells)):
                src = reference.resize(prev, sizes[d]) if d < level else prev
                back, prev, level = prev, cell(src, back), d
                if i == 2:
                    third = prev
            y = reference.resize(self.aspp(F.relu(prev)), sizes[0])
            y = self.decoder(torch.cat([y, reference.resize(self.low(third), sizes[0])], 1))
            return reference.resize(y, x.shape[2:])

    return Network()


def names(reference, net):
    """(module, our path) of every convolution and batch norm."""
    def pair(sequence, at, conv="conv", bn="bn", start=0):
        return [(sequence[start], f"{at}.{conv}"), (sequence[start + 1], f"{at}.{bn}")]

    found = []
    for i, layer in enumerate(net.stem):
        found += pair(layer, f"stem.{i + 1}")
    for i, cell in enumerate(net.cells):
        at = f"cells.{i + 1}"
        found += pair(cell.pre0, at + ".input.previous", start=1)
        if not isinstance(cell.pre1, nn.Identity):
            found += pair(cell.pre1, at + ".input.back", start=1)
        for j, (op, name) in enumerate(zip(cell.ops, reference.OPS)):
            kind, size = name.split("_")[:2]
            place = f"{at}.block.{j // 2 + 1}.{j % 2 + 1}.{OPERATORS[kind]}_{size}"
            if kind == "atrous":
                found += pair(op.seq, place, start=1)
            else:
                for n in (0, 1):
                    k = 4 * n
                    found += [(op[k + 1], f"{place}.depthwise{n + 1}"), (op[k + 2], f"{place}.pointwise{n + 1}"), (op[k + 3], f"{place}.bn{n + 1}")]
    found += pair(net.aspp.one, "aspp.conv1x1") + pair(net.aspp.pool, "aspp.pool") + pair(net.aspp.out, "aspp.project")
    for i, branch in enumerate(net.aspp.atrous):
        found += pair(branch, f"aspp.atrous.{i + 1}")
    found += pair(net.low, "decoder.low") + pair(net.decoder[0], "decoder.refine.1") + pair(net.decoder[1], "decoder.refine.2")
    return found + [(net.decoder[2], "decoder.classifier")]


def main():
    reference = load(sys.argv[1])
    torch.manual_seed(1)
    tensors, metadata = {}, {}
    for name, path in PATHS.items():
        net = network(reference, path, **NARROW)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps, module.momentum = 1e-3, 1.0
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.3)
        # Running statistics that are those of such images.
        with torch.no_grad():
            net.train()(torch.randn(2, 3, 65, 65))
            images = torch.randn(1, 3, 45, 67)
            scores = net.eval()(images)
        for module, place in names(reference, net):
            for key, value in module.state_dict().items():
                if key != "num_batches_tracked":
                    tensors[f"{name}.param.{place}.{key}"] = value.contiguous()
        assert sum(p.numel() for p in net.parameters()) == sum(
            t.numel() for k, t in tensors.items() if k.startswith(name + ".param.") and "running" not in k)
        tensors[name + ".images"], tensors[name + ".scores"] = images, scores
        metadata[name + ".path"] = " ".join(str(4 << d) for d in path)
    save_file(tensors, sys.argv[2], metadata)


if __name__ == "__main__":
    main()
