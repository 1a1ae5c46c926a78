import Networks
import Tensors

/// Code that makes a part, in which the numbers are known apart: parts that differ in them only are one class.
struct Constructor {
    enum Piece {
        case text(String)
        /// A number and what it is, as PyTorch calls it.
        case number(role: String, String)
        /// The same as an argument by name, `, stride=2`, which is left out where all have the usual value.
        case option(role: String, String, usual: String)
    }

    var pieces: [Piece] = []

    init(_ pieces: [Piece] = []) { self.pieces = pieces }

    static func + (a: Constructor, b: Constructor) -> Constructor { Constructor(a.pieces + b.pieces) }
    static func text(_ text: String) -> Constructor { Constructor([.text(text)]) }

    /// The text with numbers left out: equal for parts of one class.
    var key: String { pieces.map { if case .text(let text) = $0 { text } else { "\u{1}" } }.joined() }
    var numbers: [(role: String, value: String)] {
        pieces.compactMap { piece in
            switch piece {
            case .text: nil
            case .number(let role, let value), .option(let role, let value, _): (role, value)
            }
        }
    }

    /// The text with numbers, or names in their places.
    func text(_ replacement: (Int) -> String?) -> String {
        var n = -1
        return pieces.map { piece in
            switch piece {
            case .text(let text): return text
            case .number(_, let value):
                n += 1
                return replacement(n) ?? value
            case .option(let role, let value, let usual):
                n += 1
                let text = replacement(n) ?? value
                return text == usual ? "" : ", \(role)=\(text)"
            }
        }.joined()
    }

    /// One line deeper.
    func indented(_ spaces: Int) -> Constructor {
        let margin = "\n" + String(repeating: " ", count: spaces)
        return Constructor(pieces.map { if case .text(let text) = $0 { .text(text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: margin)) } else { $0 } })
    }

    // MARK: Layers

    static func layer(_ layer: Part.Layer, inputRank: Int) -> Constructor {
        switch layer {
        case .conv(let conv): convolution(conv)
        case .norm(let norm): self.norm(norm, inputRank)
        case .linear(let linear):
            Constructor([.text("nn.Linear("), .number(role: "in_features", "\(linear.weight.shape[1])"), .text(", "),
                .number(role: "out_features", "\(linear.weight.shape[0])"), .text(linear.bias == nil ? ", bias=False)" : ")")])
        case .convTranspose(let conv): transposed(conv)
        case .layerNorm(let norm):
            Constructor([.text("nn.LayerNorm("), .number(role: "normalized_shape", sizes(norm.sizes)), .text(", eps="), .number(role: "eps", Python.number(Double("\(norm.epsilon)") ?? 0)),
                .text(norm.gamma == nil ? ", elementwise_affine=False)" : ")")])
        case .groupNorm(let norm):
            Constructor([.text("nn.GroupNorm("), .number(role: "num_groups", "\(norm.groups)"), .text(", "), .number(role: "num_channels", "\(norm.channels)"),
                .text(", eps="), .number(role: "eps", Python.number(Double("\(norm.epsilon)") ?? 0)), .text(norm.gamma == nil ? ", affine=False)" : ")")])
        case .dropPath(let p): Constructor([.text("DropPath("), .number(role: "drop_path", Python.number(Double(Float(p)))), .text(")")])
        case .dropout(let p): Constructor([.text("nn.Dropout("), .number(role: "dropout", Python.number(p)), .text(")")])
        }
    }

    private static func sizes(_ sizes: [Int]) -> String { sizes.count == 1 ? "\(sizes[0])" : "(" + sizes.map(String.init).joined(separator: ", ") + ")" }

    private static func convolution(_ conv: Conv2d) -> Constructor {
        let (o, shape) = (conv.options, conv.weight.shape)
        return window("nn.Conv2d", from: shape[1] * o.groups, to: shape[0], conv.weight, o, more: (0, 0), hasBias: conv.bias != nil)
    }

    private static func transposed(_ conv: ConvTranspose2d) -> Constructor {
        let (o, shape) = (conv.options, conv.weight.shape)
        return window("nn.ConvTranspose2d", from: shape[0], to: shape[1] * o.groups, conv.weight, o, more: conv.outputPadding, hasBias: conv.bias != nil)
    }

    /// - Parameter more: rows and columns more at the end, of a transposed one.
    private static func window(
        _ name: String, from: Int, to: Int, _ weight: Tensor, _ o: ConvOptions, more: (Int, Int), hasBias: Bool
    ) -> Constructor {
        var pieces: [Piece] = [
            .text(name + "("), .number(role: "in_channels", "\(from)"), .text(", "), .number(role: "out_channels", "\(to)"), .text(", "),
            .number(role: "kernel_size", Part.pair(weight.shape[2], weight.shape[3])),
        ]
        func option(_ role: String, _ height: Int, _ width: Int, usual: Int) { pieces.append(.option(role: role, Part.pair(height, width), usual: "\(usual)")) }
        option("stride", o.strideHeight, o.strideWidth, usual: 1)
        option("padding", o.padHeight, o.padWidth, usual: 0)
        if name == "nn.ConvTranspose2d" { option("output_padding", more.0, more.1, usual: 0) }
        option("dilation", o.dilationHeight, o.dilationWidth, usual: 1)
        pieces.append(.option(role: "groups", "\(o.groups)", usual: "1"))
        if !hasBias { pieces.append(.text(", bias=False")) }
        return Constructor(pieces + [.text(")")])
    }

    private static func norm(_ norm: BatchNorm, _ rank: Int) -> Constructor {
        let kind = switch rank {
        case 2, 3: "1"
        case 5: "3"
        default: "2"
        }
        return Constructor([
            .text("nn.BatchNorm\(kind)d("), .number(role: "num_features", "\(norm.ownBuffers.first?.tensor.count ?? 0)"), .text(", eps="), .number(role: "eps", Python.number(Double("\(norm.epsilon)") ?? 0)),
            .text(", momentum="), .number(role: "momentum", Python.number(Double("\(norm.momentum)") ?? 0)),
            .text(norm.ownParameters.isEmpty ? ", affine=False)" : ")"),
        ])
    }
}
