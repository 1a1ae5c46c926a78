"""network, written by Trellis.

Strides by layer: 8 4 4 4; F = 4, 5 classes, 127137 parameters.

    model = load()                       # the network with its weights, in training mode
    model.eval()(images)                 # images [N, 3, H, W] -> scores
    save(model, "trained.safetensors")   # network:load("trained.safetensors") reads it again

Names of parameters are those of Trellis. Comments give shapes for images of 65x97.
"""

import json
import struct
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn


class ConvBnRelu(nn.Module):
    """stem.1 and 11 more: [N, 3, 65, 97] -> [N, 64, 33, 49]"""

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, dilation):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=padding, dilation=dilation, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001, momentum=0.1)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Previous(nn.Module):
    """cells.1.input.previous and 3 more: [N, 128, 17, 25] -> [N, 8, 17, 25]"""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001, momentum=0.1)

    def forward(self, x):
        return self.bn(self.conv(F.relu(x)))


class Back(nn.Module):
    """cells.1.input.back and 3 more: [N, 64, 17, 25] -> [N, 8, 17, 25]"""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001, momentum=0.1)

    def forward(self, x):
        return self.bn(self.conv(F.relu(x)))


class AvgPool3x3(nn.Module):
    """cells.1.block.1.1.avg_pool_3x3: [N, 8, 17, 25] -> [N, 8, 9, 13]"""

    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(8, eps=0.001, momentum=0.1)

    def forward(self, x):
        x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return self.bn(x)


class DilConv3x3(nn.Module):
    """cells.1.block.1.2.dil_conv_3x3 and 3 more: [N, 8, 17, 25] -> [N, 8, 9, 13]"""

    def __init__(self, channels, stride):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, stride=stride, padding=2, dilation=2, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=0.001, momentum=0.1)

    def forward(self, x):
        return self.bn(self.pointwise(self.depthwise(F.relu(x))))


class SepConv5x5(nn.Module):
    """cells.1.block.2.1.sep_conv_5x5 and 3 more: [N, 8, 17, 25] -> [N, 8, 9, 13]"""

    def __init__(self, channels, stride):
        super().__init__()
        self.depthwise1 = nn.Conv2d(channels, channels, 5, stride=stride, padding=2, groups=channels, bias=False)
        self.pointwise1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels, eps=0.001, momentum=0.1)
        self.depthwise2 = nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False)
        self.pointwise2 = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels, eps=0.001, momentum=0.1)

    def forward(self, x):
        x = self.pointwise1(self.depthwise1(F.relu(x)))
        x = self.pointwise2(self.depthwise2(F.relu(self.bn1(x))))
        return self.bn2(x)


class AtrousConv5x5(nn.Module):
    """cells.1.block.2.2.atrous_conv_5x5 and 3 more: [N, 8, 9, 13] -> [N, 8, 9, 13]"""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 5, padding=4, dilation=2, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=0.001, momentum=0.1)

    def forward(self, x):
        return self.bn(self.conv(F.relu(x)))


class AvgPool3x3_2(nn.Module):
    """cells.2.block.1.1.avg_pool_3x3 and 2 more: [N, 4, 17, 25] -> [N, 4, 17, 25]"""

    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(4, eps=0.001, momentum=0.1)

    def forward(self, x):
        x = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        return self.bn(x)


class Aspp(nn.Module):
    """aspp: [N, 8, 17, 25] -> [N, 8, 17, 25]"""

    def __init__(self):
        super().__init__()
        self.conv1x1 = ConvBnRelu(8, 8, 1, 1, 0, 1)
        self.atrous = nn.ModuleDict({
            "1": ConvBnRelu(8, 8, 3, 1, 24, 24),
            "2": ConvBnRelu(8, 8, 3, 1, 48, 48),
            "3": ConvBnRelu(8, 8, 3, 1, 72, 72),
        })
        self.pool = ConvBnRelu(8, 8, 1, 1, 0, 1)
        self.project = ConvBnRelu(40, 8, 1, 1, 0, 1)

    def forward(self, x):
        h = self.pool(x.mean((2, 3), keepdim=True)).expand(-1, -1, x.shape[2], x.shape[3])
        x = torch.cat([self.conv1x1(x), self.atrous["1"](x), self.atrous["2"](x), self.atrous["3"](x), h], 1)
        return self.project(x)


class Decoder(nn.Module):
    """decoder: [N, 8, 17, 25], [N, 8, 17, 25] -> [N, 5, 17, 25]"""

    def __init__(self):
        super().__init__()
        self.low = ConvBnRelu(8, 48, 1, 1, 0, 1)
        self.refine = nn.ModuleDict({
            "1": ConvBnRelu(56, 8, 3, 1, 1, 1),
            "2": ConvBnRelu(8, 8, 3, 1, 1, 1),
        })
        self.classifier = nn.Conv2d(8, 5, 1)

    def forward(self, x, y):
        refine_2 = self.refine["2"](self.refine["1"](torch.cat([y, self.low(x)], 1)))
        return self.classifier(refine_2)


class Cell(nn.Module):
    """cells.1: [N, 64, 33, 49], [N, 128, 17, 25] -> [N, 16, 9, 13]"""

    def __init__(self):
        super().__init__()
        self.input = nn.ModuleDict({
            "previous": Previous(128, 8),
            "back": Back(64, 8),
        })
        self.block = nn.ModuleDict({
            "1": nn.ModuleDict({
                "1": nn.ModuleDict({
                    "avg_pool_3x3": AvgPool3x3(),
                }),
                "2": nn.ModuleDict({
                    "dil_conv_3x3": DilConv3x3(8, 2),
                }),
            }),
            "2": nn.ModuleDict({
                "1": nn.ModuleDict({
                    "sep_conv_5x5": SepConv5x5(8, 2),
                }),
                "2": nn.ModuleDict({
                    "atrous_conv_5x5": AtrousConv5x5(8),
                }),
            }),
        })

    def forward(self, x, y):
        x = F.interpolate(x, y.shape[-2:], mode="bilinear", align_corners=True)
        input_back = self.input.back(x)
        y = self.block["1"]["1"].avg_pool_3x3(input_back) + self.block["1"]["2"].dil_conv_3x3(self.input.previous(y))
        h = self.block["2"]["1"].sep_conv_5x5(input_back) + self.block["2"]["2"].atrous_conv_5x5(y)
        return torch.cat([y, h], 1)


class Cell2(nn.Module):
    """cells.2: [N, 16, 9, 13], [N, 128, 17, 25] -> [N, 8, 17, 25]"""

    def __init__(self):
        super().__init__()
        self.input = nn.ModuleDict({
            "previous": Previous(16, 4),
            "back": Back(128, 4),
        })
        self.block = nn.ModuleDict({
            "1": nn.ModuleDict({
                "1": nn.ModuleDict({
                    "avg_pool_3x3": AvgPool3x3_2(),
                }),
                "2": nn.ModuleDict({
                    "dil_conv_3x3": DilConv3x3(4, 1),
                }),
            }),
            "2": nn.ModuleDict({
                "1": nn.ModuleDict({
                    "sep_conv_5x5": SepConv5x5(4, 1),
                }),
                "2": nn.ModuleDict({
                    "atrous_conv_5x5": AtrousConv5x5(4),
                }),
            }),
        })

    def forward(self, x, y):
        x = F.interpolate(x, y.shape[-2:], mode="bilinear", align_corners=True)
        input_back = self.input.back(y)
        x = self.block["1"]["1"].avg_pool_3x3(input_back) + self.block["1"]["2"].dil_conv_3x3(self.input.previous(x))
        h = self.block["2"]["1"].sep_conv_5x5(input_back) + self.block["2"]["2"].atrous_conv_5x5(x)
        return torch.cat([x, h], 1)


class Cell3(nn.Module):
    """cells.3: [N, 16, 9, 13], [N, 8, 17, 25] -> [N, 8, 17, 25]"""

    def __init__(self):
        super().__init__()
        self.input = nn.ModuleDict({
            "previous": Previous(8, 4),
            "back": Back(16, 4),
        })
        self.block = nn.ModuleDict({
            "1": nn.ModuleDict({
                "1": nn.ModuleDict({
                    "avg_pool_3x3": AvgPool3x3_2(),
                }),
                "2": nn.ModuleDict({
                    "dil_conv_3x3": DilConv3x3(4, 1),
                }),
            }),
            "2": nn.ModuleDict({
                "1": nn.ModuleDict({
                    "sep_conv_5x5": SepConv5x5(4, 1),
                }),
                "2": nn.ModuleDict({
                    "atrous_conv_5x5": AtrousConv5x5(4),
                }),
            }),
        })

    def forward(self, x, y):
        x = F.interpolate(x, y.shape[-2:], mode="bilinear", align_corners=True)
        input_back = self.input.back(x)
        y = self.block["1"]["1"].avg_pool_3x3(input_back) + self.block["1"]["2"].dil_conv_3x3(self.input.previous(y))
        h = self.block["2"]["1"].sep_conv_5x5(input_back) + self.block["2"]["2"].atrous_conv_5x5(y)
        return torch.cat([y, h], 1)


class Cell4(nn.Module):
    """cells.4: [N, 8, 17, 25], [N, 8, 17, 25] -> [N, 8, 17, 25]"""

    def __init__(self):
        super().__init__()
        self.input = nn.ModuleDict({
            "previous": Previous(8, 4),
            "back": Back(8, 4),
        })
        self.block = nn.ModuleDict({
            "1": nn.ModuleDict({
                "1": nn.ModuleDict({
                    "avg_pool_3x3": AvgPool3x3_2(),
                }),
                "2": nn.ModuleDict({
                    "dil_conv_3x3": DilConv3x3(4, 1),
                }),
            }),
            "2": nn.ModuleDict({
                "1": nn.ModuleDict({
                    "sep_conv_5x5": SepConv5x5(4, 1),
                }),
                "2": nn.ModuleDict({
                    "atrous_conv_5x5": AtrousConv5x5(4),
                }),
            }),
        })

    def forward(self, x, y):
        input_back = self.input.back(x)
        y = self.block["1"]["1"].avg_pool_3x3(input_back) + self.block["1"]["2"].dil_conv_3x3(self.input.previous(y))
        h = self.block["2"]["1"].sep_conv_5x5(input_back) + self.block["2"]["2"].atrous_conv_5x5(y)
        return torch.cat([y, h], 1)


class Network(nn.Module):
    """The whole network: [N, 3, 65, 97] -> [N, 5, 65, 97]"""

    def __init__(self):
        super().__init__()
        self.stem = nn.ModuleDict({
            "1": ConvBnRelu(3, 64, 3, 2, 1, 1),
            "2": ConvBnRelu(64, 64, 3, 1, 1, 1),
            "3": ConvBnRelu(64, 128, 3, 2, 1, 1),
        })
        self.cells = nn.ModuleDict({
            "1": Cell(),
            "2": Cell2(),
            "3": Cell3(),
            "4": Cell4(),
        })
        self.aspp = Aspp()
        self.decoder = Decoder()

    def forward(self, x):
        stem_1 = self.stem["1"](x)  # [N, 64, 33, 49]
        stem_2 = self.stem["2"](stem_1)  # [N, 64, 33, 49]
        stem_3 = self.stem["3"](stem_2)  # [N, 128, 17, 25]
        cells_1 = self.cells["1"](stem_2, stem_3)  # [N, 16, 9, 13]
        cells_2 = self.cells["2"](cells_1, stem_3)  # [N, 8, 17, 25]
        cells_3 = self.cells["3"](cells_1, cells_2)  # [N, 8, 17, 25]
        cells_4 = self.cells["4"](cells_2, cells_3)  # [N, 8, 17, 25]
        aspp = self.aspp(F.relu(cells_4))  # [N, 8, 17, 25]
        decoder = self.decoder(cells_3, aspp)  # [N, 5, 17, 25]
        return F.interpolate(decoder, x.shape[-2:], mode="bilinear", align_corners=True)


def build():
    """The network with PyTorch's initial weights."""
    model = Network()
    return model


def load(path=Path(__file__).with_name("weights.safetensors")):
    """The network with the weights of a file."""
    model = build()
    state = read(path)
    known = {k for k in model.state_dict() if not k.endswith("num_batches_tracked")}
    if known != set(state):
        raise ValueError(f"{path} is of another network: {sorted(known ^ set(state))[:6]}")
    model.load_state_dict(state, strict=False)
    return model


def read(path):
    """The tensors of a .safetensors file, by name."""
    data = bytearray(Path(path).read_bytes())
    size = struct.unpack("<Q", data[:8])[0]
    types = {"F32": torch.float32, "I32": torch.int32}
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        if begin == end:
            tensors[name] = torch.zeros(entry["shape"], dtype=types[entry["dtype"]])
            continue
        part = torch.frombuffer(data[8 + size + begin : 8 + size + end], dtype=types[entry["dtype"]])
        tensors[name] = part.reshape(entry["shape"])
    return tensors


def save(model, path):
    """Writes the weights for Trellis: network:load(path)."""
    header, parts, offset = {}, [], 0
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        tensor = tensor.detach().cpu().contiguous()
        tensor = tensor.int() if not tensor.is_floating_point() else tensor.float()
        part = tensor.numpy().tobytes()
        header[name] = {
            "dtype": "F32" if tensor.is_floating_point() else "I32",
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(part)],
        }
        parts.append(part)
        offset += len(part)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def training_step(model, optimiser, images, labels, ignore=255):
    """One step on images [N, 3, H, W] and labels [N, H, W] (int64, `ignore` where a pixel does not count); returns the loss."""
    model.train()
    optimiser.zero_grad()
    scores = F.interpolate(model(images), size=labels.shape[-2:], mode="bilinear", align_corners=True)
    loss = F.cross_entropy(scores, labels, ignore_index=ignore)
    loss.backward()
    optimiser.step()
    return loss.item()


if __name__ == "__main__":
    network = load().eval()
    with torch.no_grad():
        print(network(torch.zeros(1, 3, 65, 97)).shape)
