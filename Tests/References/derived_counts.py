#!/usr/bin/env python3
"""The numbers in SearchTests/DerivedEstimateTests.swift, computed by PyTorch.

Usage: derived_counts.py torch_derived.py

Builds the derived network of the given reference script and prints, line by line: filters, height, width, classes,
parameters, and the multiply-adds that torch's own counter sees in one forward pass of one image.
"""
import sys

import torch
from torch.utils.flop_counter import FlopCounterMode

from derived_golden import load, network

reference = load(sys.argv[1])
HOURGLASS = [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
for filters, height, width, path, classes in [
        (20, 65, 129, reference.PATH, 19), (32, 65, 129, reference.PATH, 19), (48, 33, 33, reference.PATH, 19), (8, 70, 51, HOURGLASS, 5)]:
    net = network(reference, path, filters, classes).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.randn(1, 3, height, width))
    print(filters, height, width, classes, sum(p.numel() for p in net.parameters()), counter.get_total_flops() // 2)
