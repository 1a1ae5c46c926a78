import Networks
import Tensors

/// A module of the network with what the code has to know of it.
final class Part {
    /// Layers that are one layer of PyTorch.
    enum Layer {
        case conv(Conv2d)
        case norm(BatchNorm)
        case linear(Linear)
        case convTranspose(ConvTranspose2d)
        case layerNorm(LayerNorm)
        case groupNorm(GroupNorm)
        case dropPath(Double)
        case dropout(Double)
    }

    let name: String
    let path: [String]
    let module: Module
    private(set) weak var parent: Part?
    private(set) var children: [Part] = []
    let layer: Layer?
    /// Whether it becomes a class with a `forward` that is called once.
    var isCalled = false
    /// How often a layer with parameters or statistics is computed.
    var uses = 0
    /// Whether any operation was written inside.
    var isComputed = false
    /// Dimensions of what a norm is applied to.
    var inputRank = 4

    init(_ module: Module, name: String = "", path: [String] = [], parent: Part? = nil) {
        (self.module, self.name, self.path, self.parent) = (module, name, path, parent)
        layer = Part.layer(module)
        // What a drop path is to its cell, a convolution's parts are to the convolution: they are of the layer.
        if layer == nil { children = module.children.map { Part($0.module, name: $0.name, path: path + $0.name.split(separator: ".").map(String.init), parent: self) } }
    }

    private static func layer(_ module: Module) -> Layer? {
        switch module {
        case let conv as Conv2d where conv.options.repeats == 1: .conv(conv)
        case let norm as BatchNorm: .norm(norm)
        case let linear as Linear: .linear(linear)
        case let conv as ConvTranspose2d: .convTranspose(conv)
        case let norm as LayerNorm: .layerNorm(norm)
        case let norm as GroupNorm: .groupNorm(norm)
        case let drop as DropPath: drop.probability > 0 ? .dropPath(drop.probability) : nil
        case let lambda as Lambda where lambda.kind == "dropout" && lambda.hasMode: Double(lambda.details).map(Layer.dropout)
        default: nil
        }
    }

    /// All parts, this one first.
    var all: [Part] { [self] + children.flatMap(\.all) }

    var own: [Module.Named] { layer == nil ? module.ownParameters + module.ownBuffers : [] }

    /// Whether the code has to hold anything for it.
    private(set) lazy var isNeeded: Bool = layer != nil || !own.isEmpty || children.contains(where: \.isNeeded)

    /// Steps to the lowest part.
    private(set) lazy var height: Int = 1 + (children.map(\.height).max() ?? 0)

    /// The deepest part that a scope lies in.
    func part(at scope: String) -> Part {
        var part = self
        var rest = scope.split(separator: ".").map(String.init)[...]
        while let child = part.children.first(where: { rest.starts(with: $0.path.dropFirst(part.path.count)) }) {
            rest = rest.dropFirst(child.path.count - part.path.count)
            part = child
            if rest.isEmpty { break }
        }
        return part
    }

    /// This part, or the nearest around it, that has a function.
    var function: Part { isCalled ? self : parent?.function ?? self }

    func isInside(_ other: Part) -> Bool { self === other || parent?.isInside(other) ?? false }
}

/// Python's words, and attributes of torch.nn.Module that a part cannot be called.
enum Python {
    private static let keywords: Set<String> = [
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except", "finally", "for", "from",
        "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield", "self", "torch", "nn", "F",
    ]
    private static let attributes: Set<String> = [
        "forward", "type", "to", "float", "double", "half", "bfloat16", "cpu", "cuda", "xpu", "ipu", "mtia", "train", "eval", "apply", "compile", "training", "modules",
        "named_modules", "children", "named_children", "parameters", "named_parameters", "buffers", "named_buffers", "state_dict", "load_state_dict", "zero_grad",
        "requires_grad_", "share_memory", "extra_repr", "add_module", "register_module", "register_buffer", "register_parameter", "get_submodule", "set_submodule",
        "get_parameter", "get_buffer", "to_empty", "keys", "values", "items", "pop", "clear", "update", "call_super_init", "dump_patches",
    ]

    static func isIdentifier(_ name: String) -> Bool {
        guard let first = name.unicodeScalars.first, first == "_" || isLetter(first), !keywords.contains(name) else { return false }
        return name.unicodeScalars.allSatisfy { $0 == "_" || isLetter($0) || ("0"..."9").contains($0) }
    }

    private static func isLetter(_ c: Unicode.Scalar) -> Bool { ("a"..."z").contains(c) || ("A"..."Z").contains(c) }

    /// - Throws: for a name that a part of a module cannot have in PyTorch.
    static func check(_ name: String, at path: [String]) throws {
        guard !attributes.contains(name) else {
            throw TensorError("export", "'\(name)' is a name of torch.nn.Module's own; call this part otherwise", path: path.joined(separator: "."))
        }
    }

    /// As an identifier.
    static func identifier(_ text: String) -> String {
        let plain = String(text.unicodeScalars.map { $0 == "_" || isLetter($0) || ("0"..."9").contains($0) ? Character($0) : "_" })
        return isIdentifier(plain) ? plain : "part_" + plain
    }

    /// `sep_conv_3x3` as `SepConv3x3`.
    static func className(_ text: String) -> String {
        let words = text.split { !($0.isLetter || $0.isNumber) || !$0.isASCII }
        let joined = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return joined.first?.isLetter == true ? joined : "Part" + joined
    }

    static func number(_ x: Double) -> String {
        if x.isNaN { return "float(\"nan\")" }
        if x.isInfinite { return x > 0 ? "float(\"inf\")" : "-float(\"inf\")" }
        if x == x.rounded(), abs(x) < 1e15 { return "\(Int(x)).0" }
        return "\(x)"
    }

    static func string(_ text: String) -> String {
        "\"" + text.unicodeScalars.map { $0 == "\"" || $0 == "\\" ? "\\" + String($0) : $0.value < 32 ? "\\x" + String($0.value + 256, radix: 16).dropFirst() : String($0) }.joined() + "\""
    }
}
