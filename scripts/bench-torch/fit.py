"""scripts/bench fit: the published network's training step, and the input pipeline, Trellis beside PyTorch and torchvision, in one run.

Both train the same network from the same weights on the same batch (the code is what `network:export("network.py")` writes), PyTorch in channels last unless
--nchw. The pipeline reads JPEG images with PNG labels: decode, scale by a random factor of 0.5 to 2, crop, mirror, normalise, stack; on one thread each,
nothing kept. The two take turns, so that both see the same noise of the machine; printed are medians, their ratio and peak memory.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    p = argparse.ArgumentParser(prog="scripts/bench fit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--case", nargs="+", default=["20x257x257x4", "8x129x129x8"], metavar="FxHxWxN", help="filters, crop and batch of the training steps")
    p.add_argument("--image", default="360x480", help="height x width of the pipeline's images")
    for name, value, text in (("classes", 19, ""), ("threads", 2, "of the steps"), ("rounds", 5, "measured turns"), ("images", 32, "of the pipeline")):
        p.add_argument("--" + name, type=int, default=value, help=text)
    p.add_argument("--nchw", action="store_true", help="PyTorch without channels last")
    p.add_argument("--json", action="store_true", help="one JSON object a row instead of the table")
    p.add_argument("--bench", help=argparse.SUPPRESS)
    p.add_argument("--peer", nargs=4, metavar=("DIRECTORY", "HEIGHT", "WIDTH", "BATCH"), help=argparse.SUPPRESS)
    return p.parse_args()


# The peer: a process of its own, so that its memory is its own.

def torchvision_parts():
    """What its pipelines are made of: reading an image and a mask, resizing both, mirroring, the rest. None where there is none, or one that was built for another torch."""
    try:
        from torchvision.io import ImageReadMode, decode_image
        from torchvision.transforms.v2 import functional as F
        from torchvision.transforms.v2 import InterpolationMode
    except (ImportError, RuntimeError):
        return None
    nearest = InterpolationMode.NEAREST
    return ("torchvision", lambda path: decode_image(path, ImageReadMode.RGB), lambda path: decode_image(path, ImageReadMode.UNCHANGED)[:1],
            lambda x, size: F.resize(x, size, antialias=False), lambda x, size: F.resize(x, size, interpolation=nearest), F.horizontal_flip)


def plain_parts():
    """The same of Pillow and the functions of torch that torchvision calls for tensors."""
    import numpy
    import torch
    from PIL import Image
    from torch.nn.functional import interpolate

    def read_mask(path):
        return torch.from_numpy(numpy.array(Image.open(path)))[None]

    return ("Pillow and torch's functions, for there is no torchvision for this torch", lambda path: torch.from_numpy(numpy.array(Image.open(path).convert("RGB"))).permute(2, 0, 1), read_mask,
            lambda x, size: interpolate(x[None], size=size, mode="bilinear", align_corners=False)[0],
            lambda x, size: interpolate(x[None], size=size, mode="nearest")[0], lambda x: x.flip(-1))


def pipeline(directory, height, width, batch):
    """What it is made of, and a generator of batches, in the order of torchvision's reference for segmentation."""
    import torch
    from torch.nn.functional import pad
    name, read_image, read_mask, resize_image, resize_mask, flip = torchvision_parts() or plain_parts()
    names = sorted(os.listdir(os.path.join(directory, "images")))
    draw = random.Random(1)
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))

    def sample(name):
        image = read_image(os.path.join(directory, "images", name))
        mask = read_mask(os.path.join(directory, "labels", name[:-4] + ".png"))
        factor = draw.uniform(0.5, 2)
        size = [max(1, int(image.shape[-2] * factor)), max(1, int(image.shape[-1] * factor))]
        image, mask = resize_image(image, size), resize_mask(mask, size)
        if draw.random() < 0.5:
            image, mask = flip(image), flip(mask)
        lacking = [max(0, width - size[1]), max(0, height - size[0])]
        if any(lacking):
            image, mask = pad(image, (0, lacking[0], 0, lacking[1])), pad(mask, (0, lacking[0], 0, lacking[1]), value=255)
        y, x = draw.randint(0, image.shape[-2] - height), draw.randint(0, image.shape[-1] - width)
        image, mask = image[:, y:y + height, x:x + width], mask[:, y:y + height, x:x + width]
        return (image.float() / 255 - mean) / deviation, mask[0].long()

    def batches():
        while True:
            order = names[:]
            draw.shuffle(order)
            for i in range(0, len(order) - batch + 1, batch):
                images, masks = zip(*(sample(name) for name in order[i:i + batch]))
                yield torch.stack(images), torch.stack(masks)
    return name, batches()


def peer(a):
    import numpy
    import torch
    directory, (height, width, batch) = a.peer[0], map(int, a.peer[1:])
    torch.set_num_threads(a.threads)
    sys.path.insert(0, directory)
    import network
    model = network.load()
    images, labels = (torch.from_numpy(numpy.load(os.path.join(directory, name + ".npy"))) for name in ("images", "labels"))
    labels = labels.long()
    if not a.nchw:
        model, images = model.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    parts, loader = pipeline(directory, height, width, batch)
    print(json.dumps({"version": torch.__version__, "parts": parts}), flush=True)
    for line in sys.stdin:
        if line.strip() == "step":
            loss = network.training_step(model, sgd, images, labels)
            print(f"{float(loss):.9g}", flush=True)
        else:
            torch.set_num_threads(1)
            print(next(loader)[0].shape[0], flush=True)
            torch.set_num_threads(a.threads)


class Side:
    def __init__(self, command, environment=None):
        self.process = subprocess.Popen([str(w) for w in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        env={**os.environ, **(environment or {})})
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"scripts/bench: failed: {' '.join(map(str, command))}")
        self.report = json.loads(line)

    def do(self, what):
        """Seconds, and the answer."""
        start = time.perf_counter()
        self.process.stdin.write(what + "\n")
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"scripts/bench: a side ended at '{what}'")
        return time.perf_counter() - start, float(line)

    def peak(self):
        """Peak resident memory, MB."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM"))

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def turns(ours, theirs, what, rounds):
    """Medians of both in seconds, after a turn that is not counted, and the first answers."""
    times, first = ([], []), None
    for turn in range(rounds + 1):
        answers = []
        for side, list in zip((ours, theirs), times):
            seconds, answer = side.do(what)
            answers.append(answer)
            if turn:
                list.append(seconds)
        first = first or answers
    return [statistics.median(list) for list in times], first


def compare(a, case):
    filters, height, width, batch = map(int, case.split("x"))
    image = a.image.split("x")
    with tempfile.TemporaryDirectory() as directory:
        script = os.path.join(HERE, "fit.lua")
        ours = Side([a.bench, script, directory, filters, height, width, batch, a.classes, max(a.images, batch), *image], {"TRELLIS_THREADS": str(a.threads)})
        theirs = Side([sys.executable, __file__, "--threads", a.threads, *(["--nchw"] if a.nchw else []), "--peer", directory, height, width, batch])
        (mine, other), losses = turns(ours, theirs, "step", a.rounds)
        row = {"case": case, "what": "training step", "trellis_s": mine, "torch_s": other, "ratio": other / mine, "trellis_mb": ours.peak(), "torch_mb": theirs.peak(),
               "losses": losses, "parameters": ours.report["parameters"], "torch": theirs.report["version"]}
        rows = [row]
        ours.end()
        # One thread, as the peer's.
        ours = Side([a.bench, script, directory, filters, height, width, batch, a.classes, max(a.images, batch), *image], {"TRELLIS_THREADS": "1"})
        (mine, other), _ = turns(ours, theirs, "batch", 4 * a.rounds)
        rows.append({"case": case, "what": "input pipeline", "trellis_per_s": batch / mine, "torch_per_s": batch / other, "ratio": other / mine, "parts": theirs.report["parts"]})
        ours.end()
        theirs.end()
    return rows


def main():
    a = arguments()
    if a.peer:
        return peer(a)
    for case in a.case:
        for row in compare(a, case):
            if a.json:
                print(json.dumps(row), flush=True)
            elif row["what"] == "training step":
                print(f"F x H x W x N {case}: a training step {row['trellis_s']:.3f} s beside {row['torch_s']:.3f} s of PyTorch {row['torch']}: {row['ratio']:.2f} times as fast; "
                      f"peak memory {row['trellis_mb']:.0f} beside {row['torch_mb']:.0f} MB; first losses {row['losses'][0]:.6f} and {row['losses'][1]:.6f}", flush=True)
            else:
                print(f"    input pipeline of {a.image} JPEG on one core: {row['trellis_per_s']:.0f} images/s beside {row['torch_per_s']:.0f} of {row['parts']}: "
                      f"{row['ratio']:.2f} times as fast", flush=True)


main()
