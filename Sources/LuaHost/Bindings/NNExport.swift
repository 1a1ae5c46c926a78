import Networks
import ONNX
import Search
import Segmentation
import Tensors

/// `export` of modules.
enum ExportBinding {
    static let export = binding(
        "module",
        example: """
            local net = nn.sequential{nn.conv2d(3, 8, {kernel = 3, padding = 1}), nn.batch_norm(8), nn.relu(), nn.conv2d(8, 2, {kernel = 1})}
            print(net:export('net.onnx', {height = 9, width = 12}).output)  --> batch x 2 x 9 x 12
            """
    ) { call in try call.this() }

    static let supernet = binding(
        "supernet", example: SupernetMethods.tiny + "print(supernet:export('supernet.onnx', {height = 17, width = 16}).output)  --> batch x 3 x 17 x 16"
    ) { call in try call.this(as: SupernetObject.self).net }

    private static func binding(_ owner: String, example: String, _ module: @escaping (Call) throws -> Module) -> Binding {
        Binding(
            module: owner, name: "export", parameters: parameters, options: options, returns: returns, summary: summary, detail: detail, example: example
        ) { call in
            call.push(try write(module(call), call))
        }
    }

    private static let parameters = [Argument("path", .string, "ends in .onnx")]
    private static let options = [
        Option("height", .integer, required: true, "of the images"), Option("width", .integer, required: true),
        Option("channels", .integer, default: 3, "of the images"),
        Option("metadata", .table, "strings and numbers by name, kept in the file beside what the network knows of itself"),
    ]
    private static let returns = [Returns(.table, "nodes, bytes, output: the shape as text, operators: counts by ONNX name")]
    private static let summary = "Writes the network as an ONNX file, for other programs to run."
    private static let detail = """
        Opset 17, IR version 8, in evaluation mode: batch norms by their running statistics, dropout gone, what depends on parameters alone computed. The input is \
        `images`, float32 [batch, channels, height, width], for any batch; the result is `output`. Nodes are called by module path and operation. An operation that \
        ONNX does not have is an error that names it and its module. `save` writes the weights alone.
        """

    private static func write(_ module: Module, _ call: Call) throws -> LuaValue {
        let path: String = try call.get(1)
        guard path.hasSuffix(".onnx") else {
            throw call.bad(1, path.hasSuffix(".safetensors") || path.hasSuffix(".npz")
                ? "name ending in .onnx expected, got '\(path)'; network:save writes weights" : "name ending in .onnx expected, got '\(path)'")
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
            height: height, width: width, channels: channels, producerVersion: TrellisModule.version, metadata: metadata)
        let summary = try ONNXFile.write(module, to: path, options)
        return .table(LuaTable(fields: [
            "nodes": .integer(summary.nodes), "bytes": .integer(summary.bytes), "output": .string(summary.outputShape.joined(separator: " x ")),
            "operators": .table(LuaTable(fields: summary.operators.mapValues { .integer($0) })),
        ]))
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
