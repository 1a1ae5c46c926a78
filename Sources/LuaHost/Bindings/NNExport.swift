import Base
import Glibc
import Networks
import ONNX
import PyTorch
import Search
import Segmentation
import Tensors

/// `export` of modules: as an ONNX file, or as PyTorch code.
enum ExportBinding {
    static let export = binding(
        "module",
        example: """
            local net = nn.sequential{nn.conv2d(3, 8, {kernel = 3, padding = 1}), nn.batch_norm(8), nn.relu(), nn.conv2d(8, 2, {kernel = 1})}
            print(net:export('net.onnx', {height = 9, width = 12}).output)  --> batch x 2 x height x width
            print(net:export('net.py', {height = 9, width = 12}).classes)  --> 1
            """
    ) { call in try call.this() }

    static let supernet = binding(
        "supernet", example: SupernetMethods.tiny + "print(supernet:export('supernet.onnx', {height = 17, width = 16}).output)  --> batch x 3 x height x width"
    ) { call in try call.this(as: SupernetObject.self).net }

    private static func binding(_ owner: String, example: String, _ module: @escaping (Call) throws -> Module) -> Binding {
        Binding(
            module: owner, name: "export", parameters: parameters, options: options, returns: returns, summary: summary, detail: detail, example: example
        ) { call in
            call.push(try write(module(call), call))
        }
    }

    private static let parameters = [Argument("path", .string, "ends in .onnx, or in .py for PyTorch")]
    private static let options = [
        Option("height", .integer, required: true, "of the images"), Option("width", .integer, required: true),
        Option("channels", .integer, default: 3, "of the images"),
        Option("any_size", .boolean, default: true, "of .onnx: for images of every size where the network allows it; false fixes the one that is named, which some readers make faster plans of"),
        Option("metadata", .table, "of .onnx: strings and numbers by name, kept in the file beside what the network knows of itself"),
    ]
    private static let returns = [Returns(.table, "of .onnx nodes, bytes, output: the shape as text, operators: counts by ONNX name, any_size, one_size: why not; of .py classes, lines, weights: the file's name, any_size")]
    private static let summary = "Writes the network for other programs: as an ONNX file to run, or as PyTorch code to train on."
    private static let detail = """
        `.onnx`: opset 17, IR version 8, in evaluation mode: batch norms by their running statistics, dropout gone, what depends on parameters alone computed. The input is \
        `images`, float32 [batch, channels, height, width], for any batch and, where the network takes any, for any height and width: sizes are computed from those of the images; \
        the result is `output`. Where a size does not follow from theirs, or the network rejects others, the file is for the one that is named, and `one_size` says why. Nodes are called by module path and operation. An operation that \
        ONNX does not have is an error that names it and its module. `save` writes the weights alone.

        `.py`: one readable module that needs torch alone, a class for each module that is computed once (one for all that differ in numbers only), with the names of parameters \
        as they are here, and `weights.safetensors` beside it. It has `load`, `save` and a training step; what was trained there comes back by `network:load`. Norms, dropout \
        and drop path train as here; sizes are taken from the images where the network takes any. Operators written in Lua come along as far as their operations have a \
        counterpart; what has none is an error that names it.
        """

    private static func write(_ module: Module, _ call: Call) throws -> LuaValue {
        let path: String = try call.get(1)
        if path.hasSuffix(".py") { return try writeCode(module, call, path) }
        guard path.hasSuffix(".onnx") else {
            throw call.bad(1, path.hasSuffix(".safetensors") || path.hasSuffix(".npz")
                ? "name ending in .onnx or .py expected, got '\(path)'; network:save writes weights" : "name ending in .onnx or .py expected, got '\(path)'")
        }
        let (height, width, channels): (Int, Int, Int) = (try call.option("height"), try call.option("width"), try call.option("channels"))
        if module is DerivedNetwork, height > 0, width > 0 {
            // A card counts multiply-adds for some size: for this one, when nothing else has said which.
            ModelRecord.of(module) { if $0.size == nil { $0.size = Size(height: height, width: width) } }
        }
        var metadata = try ONNXFile.metadata(of: module)
        for (name, value) in try call.option(ifPresent: "metadata", as: LuaValue.self)?.table?.fields ?? [:] {
            switch value {
            case .string(let text): metadata[name] = text
            case .integer, .number, .boolean: metadata[name] = value.source
            default: throw call.badOption("metadata", "'\(name)' should be a string, a number or a boolean")
            }
        }
        let options = ONNXFile.Options(
            height: height, width: width, channels: channels, anySize: try call.option("any_size"), producerVersion: TrellisModule.version, metadata: metadata)
        let summary = try ONNXFile.write(module, to: path, options)
        return .table(LuaTable(fields: [
            "nodes": .integer(summary.nodes), "bytes": .integer(summary.bytes), "output": .string(summary.outputShape.joined(separator: " x ")),
            "operators": .table(LuaTable(fields: summary.operators.mapValues { .integer($0) })), "any_size": .boolean(summary.oneSize == nil),
            "one_size": summary.oneSize.map { .string($0) } ?? .nil,
        ]))
    }
}

extension ExportBinding {
    /// The code, and the weights beside it: those first, so that code never stands beside weights of another network.
    private static func writeCode(_ module: Module, _ call: Call, _ path: String) throws -> LuaValue {
        for name in ["metadata", "any_size"] where call.hasOption(name) {
            throw call.badOption(name, "only of an .onnx file; code takes the sizes of the images where the network takes any")
        }
        if let scripted = firstWithMode(module) {
            Notice.say("export: \(scripted) asks whether it is trained; the code has what it does in evaluation")
        }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let weights = "weights.safetensors"
        var options = PyTorchFile.Options(
            height: try call.option("height"), width: try call.option("width"), channels: try call.option("channels"), weights: weights,
            producerVersion: TrellisModule.version)
        options.notes = notes(of: module)
        let source = try PyTorchFile.source(module, options)
        if try !areThere(folder, weights, module) { try Tensor.save(module.state(), checksums: true, to: folder + weights) }
        try AtomicFile.write(source.text.utf8, to: path)
        return .table(LuaTable(fields: [
            "classes": .integer(source.classes), "lines": .integer(source.text.split(separator: "\n", omittingEmptySubsequences: false).count - 1),
            "weights": .string(folder + weights), "any_size": .boolean(source.takesAnySize),
        ]))
    }

    /// Whether the weights stand in a model directory already, whose file says more than they do.
    /// - Throws: where they are those of another network.
    private static func areThere(_ folder: String, _ weights: String, _ module: Module) throws -> Bool {
        guard access(ModelDirectory(folder.isEmpty ? "." : folder).cardPath, F_OK) == 0, access(folder + weights, F_OK) == 0 else { return false }
        let known = try Dictionary(Tensor.load(folder + weights).tensors.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
        let state = module.state()
        let isSame = try state.count == known.count && state.allSatisfy { name, tensor in
            guard let other = known[name], other.shape == tensor.shape else { return false }
            return try other.contiguous().withBytes { Array($0) } == tensor.contiguous().withBytes { Array($0) }
        }
        guard isSame else {
            throw FileError(folder + weights, "belongs to the model in that directory, and this network has other weights", remedy: "export to another directory")
        }
        return true
    }

    private static func firstWithMode(_ module: Module) -> String? {
        if let scripted = module as? ScriptedModule, scripted.hasMode { return scripted.kind }
        return module.children.lazy.compactMap { firstWithMode($0.module) }.first
    }

    private static func notes(of module: Module) -> [String] {
        guard let network = module as? DerivedNetwork else { return [] }
        let path = network.architecture.path.map(String.init).joined(separator: " ")
        return ["Strides by layer: \(path); F = \(network.options.filters), \(network.options.classes) classes, \(network.parameterCount) parameters."]
    }
}

extension ONNXFile {
    /// What a network of a search knows about itself.
    static func metadata(of module: Module) throws -> [String: String] {
        var metadata = ["parameters": "\(module.parameterCount)"]
        if let supernet = module as? Supernet {
            metadata["classes"] = supernet.classes.map { "\($0)" }
            for (key, value) in supernet.configuration { metadata["supernet.\(key)"] = value }
        } else if let network = module as? DerivedNetwork {
            metadata["classes"] = "\(network.options.classes)"
            metadata["architecture"] = try network.architecture.json
        }
        metadata["card"] = try ModelCards.card(of: module)?.json
        return metadata
    }
}
