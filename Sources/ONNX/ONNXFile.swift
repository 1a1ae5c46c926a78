import Base
import Foundation
import Networks
import SwiftProtobuf
import Tensors

/// Networks as ONNX files: opset 17, IR version 8.
///
/// The network is recorded in evaluation mode and every operation translated. The number of images is left open, and their size where the network allows it. Nodes are
/// called by module path and operation (`cells.3.block.1.1.sep_conv_3x3.depthwise1/conv2d`), parameters as in the network's own files. The
/// input is `images`, float32 [batch, C, H, W]; the result is `output`.
/// Source: https://github.com/onnx/onnx/blob/main/docs/IR.md and Operators.md.
public enum ONNXFile {
    public static let opset = 17
    public static let irVersion = 8

    public struct Options: Sendable {
        /// Size of the images: the only one where the network, or the file, allows no other.
        public var height, width, channels: Int
        /// Whether the file is to take images of every size.
        public var anySize: Bool
        public var producerVersion: String
        /// What the file says about itself, by key: classes, architecture.
        public var metadata: [String: String]

        public init(height: Int, width: Int, channels: Int = 3, anySize: Bool = true, producerVersion: String = "", metadata: [String: String] = [:]) {
            self.height = height
            self.width = width
            self.channels = channels
            self.anySize = anySize
            self.producerVersion = producerVersion
            self.metadata = metadata
        }
    }

    /// What was written.
    public struct Summary: Sendable {
        public let nodes: Int
        /// Nodes by type of operator.
        public let operators: [String: Int]
        /// Bytes of the file.
        public let bytes: Int
        /// Shape of the result; what depends on the images is a name.
        public let outputShape: [String]
        /// Why the file takes images of one size only; nil where it takes any.
        public let oneSize: String?
    }

    /// Longest message that protocol buffers can hold, bytes.
    static let maximumSize = Int(Int32.max)

    /// Writes `module`; the file appears whole or the previous one stays.
    /// - Throws: `TensorError` for images that the network rejects and for operations without a counterpart in ONNX, with their module; `FileError`.
    @discardableResult
    public static func write(_ module: Module, to path: String, _ options: Options) throws -> Summary {
        let (model, oneSize) = try model(module, options)
        let size = model.graph.initializer.reduce(0) { $0 + $1.rawData.count }
        try check(size: size, path)
        let bytes: [UInt8] = try model.serializedBytes()
        try AtomicFile.write(bytes, to: path)
        var operators: [String: Int] = [:]
        for node in model.graph.node { operators[node.opType, default: 0] += 1 }
        let shape = model.graph.output[0].type.tensorType.shape.dim.map { dimension in
            switch dimension.value {
            case .dimValue(let size)?: String(size)
            case .dimParam(let name)?: name
            case nil: "?"
            }
        }
        return Summary(nodes: model.graph.node.count, operators: operators, bytes: bytes.count, outputShape: shape, oneSize: oneSize)
    }

    /// - Parameter size: bytes of the constants; a node takes some hundred more.
    static func check(size: Int, _ path: String) throws {
        guard size < maximumSize - maximumSize / 16 else {
            throw FileError(path, "the network has \(size >> 20) MB of parameters, an ONNX file can hold 2 GB", remedy: "use fewer filters")
        }
    }

    /// The message, and why it takes images of one size only.
    static func model(_ module: Module, _ options: Options) throws -> (message: Onnx_ModelProto, oneSize: String?) {
        for (name, size) in [("height", options.height), ("width", options.width), ("channels", options.channels)] where size < 1 {
            throw TensorError("export", "\(name) should be 1 or more, got \(size)")
        }
        let (graph, oneSize) = try graph(module, options)
        var model = Onnx_ModelProto()
        model.irVersion = Int64(irVersion)
        model.producerName = "trellis"
        model.producerVersion = options.producerVersion
        model.graph = graph
        var opset = Onnx_OperatorSetIdProto()
        opset.version = Int64(ONNXFile.opset)
        model.opsetImport = [opset]
        model.metadataProps = options.metadata.sorted { $0.key < $1.key }.map { key, value in
            var entry = Onnx_StringStringEntryProto()
            (entry.key, entry.value) = (key, value)
            return entry
        }
        return (model, oneSize)
    }

    /// For images of every size; where that cannot be said, of the one that is named.
    private static func graph(_ module: Module, _ options: Options) throws -> (graph: Onnx_GraphProto, oneSize: String?) {
        let parameters = try TensorIndex(module.state().map { ($0.name, $0.tensor) })
        func translated(anySize: Bool) throws -> Onnx_GraphProto {
            let image = [options.channels, options.height, options.width]
            return try Translator(SizedGraph(module, image: image, anySize: anySize), parameters: parameters).translate(module.kind)
        }
        guard options.anySize else { return (try translated(anySize: false), "as was asked for") }
        do { return (try translated(anySize: true), nil) } catch {
            try checkInterrupt()
            // What is wrong for every size is said by the second try.
            return (try translated(anySize: false), "\(error)")
        }
    }
}
