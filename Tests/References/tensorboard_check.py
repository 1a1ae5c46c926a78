"""Reads the event files of a search and of a training with TensorBoard's own reader, and compares them with what stands in their logs.

usage: tensorboard_check.py SEARCH TRAINING
"""
import csv
import struct
import sys

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EVERYTHING = {"scalars": 0, "histograms": 0, "images": 0, "tensors": 0}


def read(directory):
    events = EventAccumulator(directory, size_guidance=EVERYTHING)
    events.Reload()
    return events, events.Tags()


def log(directory):
    with open(f"{directory}/log.csv") as f:
        return list(csv.DictReader(f))


def expect(condition, what):
    if not condition:
        sys.exit(f"tensorboard_check: {what}")


search, training = sys.argv[1:]
events, tags = read(search)
rows = log(search)
for name in ("loss", "lr", "gradient_norm", "arch_loss", "arch_gradient_norm", "miou", "accuracy"):
    expect(name in tags["scalars"], f"{search} has no scalars {name}: {tags['scalars']}")
steps = [s.step for s in events.Scalars("gradient_norm")]
expect(steps == list(range(1, steps[-1] + 1)), f"steps {steps}")
expect(all(s.value > 0 for s in events.Scalars("gradient_norm")), "norms of gradients")
expect(np.allclose([s.value for s in events.Scalars("miou")], [float(row["miou"]) for row in rows], atol=1e-5), "miou is not that of log.csv")
for name in ("alpha", "beta"):
    histograms = events.Histograms(name)
    expect(len(histograms) == len(rows), f"{len(histograms)} histograms of {name}")
    value = histograms[-1].histogram_value
    expect(sum(value.bucket) == value.num and 0 <= value.min <= value.max <= 1, f"the histogram of {name}: {value}")
expect({"validation", "trellis", "cell"} <= set(tags["images"]), f"images {tags['images']}")
for name in tags["images"]:
    for image in events.Images(name):
        png = image.encoded_image_string
        expect(png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24]) == (image.width, image.height), f"the image {name}")

events, tags = read(training)
rows = log(training)
expect(np.allclose([s.value for s in events.Scalars("miou")], [float(row["miou"]) for row in rows], atol=1e-5), "miou of the training is not that of log.csv")
losses = [s.value for s in events.Scalars("loss")]
expect(len(losses) == int(rows[-1]["step"]), f"{len(losses)} losses")
stretch = len(losses) // len(rows)
expect(np.allclose([np.mean(losses[i * stretch:(i + 1) * stretch]) for i in range(len(rows))], [float(row["loss"]) for row in rows], rtol=1e-4), "losses by step are not those of log.csv")
print(f"TensorBoard reads {len(steps)} steps of a search and {len(losses)} of a training")
