#!/usr/bin/env python3
"""The numbers in SearchTests/EstimateTests.swift, computed by PyTorch.

Usage: supernet_counts.py torch_search.py

Builds the supernet of the given reference script for a few small configurations and prints, as JSON lines: its parameters
(with alpha and beta), the multiply-adds that torch's own counter sees in one forward pass of the batch, and the floats that
autograd keeps for the backward pass, storages counted once and parameters left out.
"""
import importlib.util
import json
import sys

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

spec = importlib.util.spec_from_file_location("torch_search", sys.argv[1])
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)


def run(layers, blocks, filters, height, width, batch, atrous="dense", stem="two", down="conv", classes=19):
    reference.args = reference.ap.parse_args(["--atrous", atrous, "--stem", stem, "--down", down])
    net = reference.Supernet(layers, blocks, filters, classes, 0, reference.PlainCell).train()
    images = torch.randn(batch, 3, height, width)
    labels = torch.randint(0, classes, (batch, height, width))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(images)
    own = {t.data_ptr() for t in [*net.parameters(), *net.buffers()]}
    saved, alive = {}, []

    def pack(tensor):
        if tensor.dtype == torch.float32 and tensor.data_ptr() not in own:
            storage = tensor.untyped_storage()
            saved[storage.data_ptr()] = storage.nbytes() // 4
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        F.cross_entropy(net(images), labels)
    print(json.dumps(dict(
        layers=layers, blocks=blocks, filters=filters, size=[height, width], batch=batch, atrous=atrous, stem=stem, down=down,
        classes=classes, parameters=sum(p.numel() for p in net.parameters()),
        multiply_adds=counter.get_total_flops() // 2, saved=sum(saved.values()))), flush=True)


run(4, 2, 4, 33, 33, 2, classes=5)
run(3, 3, 4, 40, 24, 2, "separable", "three", "bilinear", classes=3)
run(6, 3, 4, 129, 97, 2)
run(12, 5, 8, 64, 64, 1)
run(1, 1, 3, 7, 5, 3)
