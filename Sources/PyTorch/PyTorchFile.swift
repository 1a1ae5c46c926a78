import Networks
import Tensors

/// Networks as PyTorch code: one readable module that needs torch alone, with the names of the network's own files.
///
/// The network is recorded in evaluation mode for images of several sizes and read back as functions: a module that is computed once becomes a class with a `forward`,
/// modules that differ in numbers only share one. Norms, dropout and drop path are PyTorch's or behave as here, so the code trains.
public enum PyTorchFile {
    public struct Options: Sendable {
        /// Size of the images that comments speak of.
        public var height, width, channels: Int
        /// Name of the file of weights, beside the code.
        public var weights: String
        public var producerVersion: String
        /// What the head of the file says about the network, a line each.
        public var notes: [String]

        public init(height: Int, width: Int, channels: Int = 3, weights: String = "weights.safetensors", producerVersion: String = "", notes: [String] = []) {
            (self.height, self.width, self.channels, self.weights) = (height, width, channels, weights)
            (self.producerVersion, self.notes) = (producerVersion, notes)
        }
    }

    public struct Source: Sendable {
        public let text: String
        public let classes: Int
        /// Whether it takes images of other sizes than those it was written for.
        public let takesAnySize: Bool
    }

    /// - Throws: `TensorError` for an operation that has no counterpart, with its module.
    public static func source(_ module: Module, _ options: Options) throws -> Source {
        for (name, size) in [("height", options.height), ("width", options.width), ("channels", options.channels)] where size < 1 {
            throw TensorError("export", "\(name) should be 1 or more, got \(size)")
        }
        let root = Part(module)
        guard root.layer == nil else {
            throw TensorError("export", "a \(module.kind) by itself is one layer of PyTorch; put it into nn.sequential{} for code of its own")
        }
        let graph = try ProbedGraph(code: module, image: [options.channels, options.height, options.width])
        let analysis = try Analysis(graph, root)
        var writer = ClassWriter(analysis)
        try writer.write()
        let classes = (writer.usesDropPath ? [dropPath] : []) + writer.classes
        let aliases = shared(root)
        let text = ([head(module, options, graph)] + classes + [tail(module, options, graph, aliases)]).joined(separator: "\n\n\n") + "\n"
        return Source(text: text, classes: writer.classes.count, takesAnySize: graph.takesAnySize)
    }

    /// Modules that stand in several places: the first one is that of the others, too.
    private static func shared(_ root: Part) -> [String] {
        var first: [ObjectIdentifier: Part] = [:]
        var lines: [String] = []
        for part in root.all where part.isNeeded && !part.module.isContainer {
            if let known = first[ObjectIdentifier(part.module)] {
                // A part of one that is shared as a whole comes with it.
                guard let parent = part.parent, first[ObjectIdentifier(parent.module)] === parent || first[ObjectIdentifier(parent.module)] == nil else { continue }
                lines.append("    model.set_submodule(\(Python.string(part.path.joined(separator: "."))), model.get_submodule(\(Python.string(known.path.joined(separator: ".")))))")
            } else {
                first[ObjectIdentifier(part.module)] = part
            }
        }
        return lines
    }

    private static func head(_ module: Module, _ options: Options, _ graph: ProbedGraph) -> String {
        let notes = options.notes.map { "\n" + $0.replacing("\\", with: "\\\\").replacing("\"\"\"", with: "'''") }.joined()
        let size = graph.takesAnySize ? "" : "\n\nIt takes images of \(options.height)x\(options.width) only: sizes inside are written as numbers."
        return """
            \"\"\"\(module.kind), written by Trellis \(options.producerVersion).
            \(notes)

                model = load()                       # the network with its weights, in training mode
                model.eval()(images)                 # images [N, \(options.channels), H, W] -> scores
                save(model, "trained.safetensors")   # network:load("trained.safetensors") reads it again

            Names of parameters are those of Trellis. Comments give shapes for images of \(options.height)x\(options.width).\(size)
            \"\"\"

            import json
            import struct
            from pathlib import Path

            import torch
            import torch.nn.functional as F
            from torch import nn
            """
    }

    private static let dropPath = """
        class DropPath(nn.Module):
            \"\"\"Drops its whole input at random, sample by sample, in training; what is kept is divided by the probability of keeping.

            `scale` (0 to 1) is the share of the probability that holds now: set it from step to step for a schedule.
            \"\"\"

            def __init__(self, probability):
                super().__init__()
                self.probability = probability
                self.scale = 1.0

            def forward(self, x):
                keep = 1 - self.scale * self.probability
                if not self.training or keep == 1:
                    return x
                mask = torch.rand([x.shape[0]] + [1] * (x.dim() - 1), dtype=x.dtype, device=x.device) < keep
                return x * (mask / keep)
        """

    private static func tail(_ module: Module, _ options: Options, _ graph: ProbedGraph, _ aliases: [String]) -> String {
        let rank = graph.values[graph.output].rank
        let make = aliases.isEmpty ? "    model = Network()" : "    model = Network()\n" + aliases.joined(separator: "\n")
        let step = rank == 4
            ? """
            def training_step(model, optimiser, images, labels, ignore=255):
                \"\"\"One step on images [N, \(options.channels), H, W] and labels [N, H, W] (int64, `ignore` where a pixel does not count); returns the loss.\"\"\"
                model.train()
                optimiser.zero_grad()
                scores = F.interpolate(model(images), size=labels.shape[-2:], mode="bilinear", align_corners=True)
                loss = F.cross_entropy(scores, labels, ignore_index=ignore)
                loss.backward()
                optimiser.step()
                return loss.item()
            """
            : """
            def training_step(model, optimiser, images, targets, loss_function):
                \"\"\"One step; returns the loss.\"\"\"
                model.train()
                optimiser.zero_grad()
                loss = loss_function(model(images), targets)
                loss.backward()
                optimiser.step()
                return loss.item()
            """
        return """
            def build():
                \"\"\"The network with PyTorch's initial weights.\"\"\"
            \(make)
                return model


            def load(path=Path(__file__).with_name(\(Python.string(options.weights)))):
                \"\"\"The network with the weights of a file.\"\"\"
                model = build()
                state = read(path)
                known = {k for k in model.state_dict() if not k.endswith("num_batches_tracked")}
                if known != set(state):
                    raise ValueError(f"{path} is of another network: {sorted(known ^ set(state))[:6]}")
                model.load_state_dict(state, strict=False)
                return model


            def read(path):
                \"\"\"The tensors of a .safetensors file, by name.\"\"\"
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
                \"\"\"Writes the weights for Trellis: network:load(path).\"\"\"
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


            \(step)


            if __name__ == "__main__":
                network = load().eval()
                with torch.no_grad():
                    print(network(torch.zeros(1, \(options.channels), \(options.height), \(options.width))).shape)
            """
    }
}
