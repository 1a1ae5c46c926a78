"""Golden values of layers, losses and optimisers, computed by PyTorch 2.15: writes Tests/Scripts/golden/networks.safetensors.

Run from the root of the repository: python Tests/References/networks.py
"""
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

torch.manual_seed(1)
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([
            nn.Conv2d(3, 6, (3, 5), stride=2, padding=(1, 2), bias=False), nn.BatchNorm2d(6), nn.ReLU(),
            nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=3), nn.MaxPool2d(3, stride=2, padding=1),
            nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False), nn.Conv2d(6, 4, 1),
        ])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return F.interpolate(x, size=(9, 11), mode="bilinear", align_corners=False)


net = Net()
images = torch.randn(2, 3, 17, 21)
labels = torch.randint(0, 4, (2, 9, 11))
labels[0, :2] = 255
weights = torch.tensor([1.0, 0.5, 2.0, 1.5])
start = {k: v.clone() for k, v in net.state_dict().items()}


def paths(state, prefix):
    """layers.0.weight is 1.weight."""
    out = {}
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        _, index, rest = name.split(".", 2)
        out[f"{prefix}.{int(index) + 1}.{rest}"] = value.detach().clone().contiguous()
    return out


def loss_of(net):
    return F.cross_entropy(net(images), labels, weight=weights, ignore_index=255)


golden = {"images": images, "labels": labels.int(), "weights": weights, **paths(start, "start")}
loss = loss_of(net)
loss.backward()
golden["loss"] = loss.detach()
golden |= paths({k: p.grad for k, p in net.named_parameters()}, "grad")
golden |= paths({k: v for k, v in net.state_dict().items() if "running" in k}, "after")
golden["eval"] = net.eval()(images).detach()

rules = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-2),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-2, nesterov=True),
    "clip": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=1e-2),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.8, 0.99), weight_decay=0.1),
}
for name, make in rules.items():
    net.load_state_dict(start)
    net.train()
    optimiser = make(net.parameters())
    for _ in range(4):
        optimiser.zero_grad()
        loss_of(net).backward()
        if name == "clip":
            torch.nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimiser.step()
    golden |= paths(dict(net.named_parameters()), name)

save_file({k: v.contiguous() for k, v in golden.items()}, "Tests/Scripts/golden/networks.safetensors")
