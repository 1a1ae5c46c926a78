"""The IoU of Cityscapes' own scripts beside ours, on a small made-up data set.

    cityscapes.py make DIR      a tree in the layout of Cityscapes with random label ids
    cityscapes.py check DIR     what the scripts find for DIR/results, compared with DIR/found.txt

Needs cityscapesscripts, numpy, pillow and pyquaternion.
"""
import os
import sys

import numpy as np
from PIL import Image

TOWNS = {"frankfurt": 3, "lindau": 2, "munster": 2}
HEIGHT, WIDTH = 48, 96
# Ids that occur; truck (27) is nowhere, train (31) is only predicted (found by the Lua part).
IDS = [i for i in range(34) if i not in (27, 31)]


def make(root):
    random = np.random.default_rng(7)
    for town, count in TOWNS.items():
        for split, kind in (("leftImg8bit", "_leftImg8bit.png"), ("gtFine", "_gtFine_labelIds.png")):
            os.makedirs(f"{root}/{split}/val/{town}", exist_ok=True)
        for frame in range(count):
            name = f"{town}_{frame:06d}_{19 * (frame + 1):06d}"
            image = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            Image.fromarray(image).save(f"{root}/leftImg8bit/val/{town}/{name}_leftImg8bit.png")
            # Blocks, so that classes have very different areas.
            labels = np.full((HEIGHT, WIDTH), random.choice(IDS), dtype=np.uint8)
            for _ in range(60):
                top, left = random.integers(0, HEIGHT), random.integers(0, WIDTH)
                labels[top:top + random.integers(1, 20), left:left + random.integers(1, 30)] = random.choice(IDS)
            Image.fromarray(labels).save(f"{root}/gtFine/val/{town}/{name}_gtFine_labelIds.png")


def check(root):
    import glob
    import math
    os.environ["CITYSCAPES_RESULTS"] = f"{root}/results"
    import cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling as scripts
    from cityscapesscripts.helpers.labels import trainId2label
    scripts.args.evalInstLevelScore = False
    scripts.args.JSONOutput = False
    scripts.args.quiet = True
    truth = sorted(glob.glob(f"{root}/gtFine/val/*/*_gtFine_labelIds.png"))
    predictions = [scripts.getPrediction(scripts.args, name) for name in truth]
    result = scripts.evaluateImgLists(predictions, truth, scripts.args)
    matrix = np.array(result["confMatrix"])

    with open(f"{root}/found.txt") as file:
        found = [line.split(";") for line in file.read().splitlines()]
    mean, rows = float(found[0][0]), found[1:]
    assert len(rows) == 19, rows
    ids = [trainId2label[k].id for k in range(19)]
    worst, absent = 0.0, 0
    for k, (name, colour, iou, *counts) in enumerate(rows):
        label = trainId2label[k]
        assert name == label.name, (name, label.name)
        assert tuple(map(int, colour.split())) == label.color, (name, colour, label.color)
        assert [int(c) for c in counts] == [int(matrix[label.id, i]) for i in ids], name
        theirs = result["classScores"][name]
        if math.isnan(theirs):
            absent += 1
            assert math.isnan(float(iou)), name
        else:
            worst = max(worst, abs(theirs - float(iou)))
    assert absent == 1, absent
    assert result["classScores"]["train"] == 0
    worst = max(worst, abs(result["averageScoreClasses"] - mean))
    assert worst <= 1e-12, worst
    print(f"cityscapesscripts: {len(truth)} images, {int(matrix.sum())} pixels, mean IoU {mean:.6f}; counts equal, "
          f"largest difference of an IoU {worst:.1e}")


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](sys.argv[2])
