import Base
import Foundation
import Networks
import Tensors
import Testing

@testable import ONNX

/// What the nodes are; that they compute the same is what Tests/Scripts/onnx.sh checks with ONNX Runtime.
@Suite(.serialized) struct TranslationTests {
    private func graph(_ module: Module, _ height: Int = 9, _ width: Int = 12) throws -> Onnx_GraphProto {
        try ONNXFile.model(module, .init(height: height, width: width, anySize: false)).message.graph
    }

    private func shape(_ graph: Onnx_GraphProto) -> [String] {
        graph.output[0].type.tensorType.shape.dim.map { $0.dimParam.isEmpty ? "\($0.dimValue)" : $0.dimParam }
    }

    private func lambda(_ body: @escaping (Tensor) throws -> Tensor) -> Module { Lambda("f") { x, _ in try body(x) } }

    private func attribute(_ node: Onnx_NodeProto, _ name: String) -> Onnx_AttributeProto? { node.attribute.first { $0.name == name } }

    private func constant(_ graph: Onnx_GraphProto, _ name: String) throws -> [Int] {
        let tensor = try #require(graph.initializer.first { $0.name == name })
        #expect(tensor.dataType == 7)
        return tensor.rawData.withUnsafeBytes { $0.bindMemory(to: Int64.self).map(Int.init) }
    }

    private func problem(_ body: () throws -> Void) -> TensorError? {
        do { try body() } catch { return error as? TensorError }
        return nil
    }

    @Test func nodesAndWeightsHaveThePathsOfTheirModules() throws {
        let inner = Sequential(named: [("conv", try Conv2d(3, 4, kernel: (3, 2), stride: (2, 1), padding: (1, 0), groups: 1)), ("bn", try BatchNorm(4))])
        let graph = try graph(Sequential(named: [("stem", inner), ("relu", Layer.relu())]))
        #expect(graph.node.map(\.name) == ["stem.conv/conv2d", "stem.bn/batch_norm", "relu/relu"])
        #expect(graph.node.map(\.opType) == ["Conv", "BatchNormalization", "Relu"])
        #expect(graph.node[0].input == ["images", "stem.conv.weight", "stem.conv.bias"])
        #expect(graph.node[1].input == ["stem.conv/conv2d", "stem.bn.weight", "stem.bn.bias", "stem.bn.running_mean", "stem.bn.running_var"])
        #expect(graph.node[2].output == ["output"])
        #expect(Set(graph.initializer.map(\.name)) == Set(graph.node.flatMap(\.input)).subtracting(["images"] + graph.node.flatMap(\.output)))
        #expect(attribute(graph.node[0], "strides")?.ints == [2, 1])
        #expect(attribute(graph.node[0], "pads")?.ints == [1, 0, 1, 0])
        #expect(attribute(graph.node[0], "kernel_shape")?.ints == [3, 2])
        #expect(graph.input[0].type.tensorType.shape.dim.map(\.dimParam) == ["batch", "", "", ""])
        #expect(graph.output[0].type.tensorType.shape.dim.map(\.dimValue) == [0, 4, 5, 11])
    }

    @Test func theBatchStaysOpenInShapes() throws {
        let flat = try graph(Sequential([Layer.flatten(), try Linear(3 * 9 * 12, 2)]))
        #expect(flat.node.map(\.opType) == ["Reshape", "Gemm", "Add"])
        #expect(try constant(flat, flat.node[0].input[1]) == [-1, 324])
        #expect(flat.node[1].input[1] == "2.weight" && attribute(flat.node[1], "transB")?.i == 1)

        let resized = try graph(Layer.resize(.bilinearAlignCorners, size: (5, 7)))
        #expect(resized.node.map(\.opType) == ["Shape", "Concat", "Resize"])
        #expect(attribute(resized.node[2], "coordinate_transformation_mode")?.s == Data("align_corners".utf8))
        #expect(resized.output[0].type.tensorType.shape.dim.map(\.dimParam) == ["batch", "", "", ""])

        // Twice the images, and one more.
        let doubled = try graph(lambda { try Tensor.concat([Tensor.concat([$0, $0], 0), $0.narrow(0, 0, 1)], 0) })
        #expect(doubled.output[0].type.tensorType.shape.dim[0].dimParam == "2*batch+1")
    }

    @Test func sizesOfImagesStayOpenWhereTheNetworkAllowsIt() throws {
        func any(_ module: Module) throws -> (graph: Onnx_GraphProto, oneSize: String?) {
            let (message, oneSize) = try ONNXFile.model(module, .init(height: 9, width: 12))
            return (message.graph, oneSize)
        }
        let conv = try any(Sequential([try Conv2d(3, 4, kernel: (3, 3), stride: (2, 2), padding: (1, 1)), Layer.relu()]))
        #expect(conv.oneSize == nil)
        #expect(conv.graph.node.map(\.opType) == ["Conv", "Relu"])
        #expect(conv.graph.input[0].type.tensorType.shape.dim.map(\.dimParam) == ["batch", "", "height", "width"])
        #expect(shape(conv.graph) == ["batch", "4", "(height+1)/2", "(width+1)/2"])

        // A size is read where it stands: of the images, or of what was computed by then.
        let stride = try Conv2d(3, 4, kernel: (3, 3), stride: (2, 2), padding: (1, 1))
        let back = try any(lambda { x in
            let y = try stride(x), z = try y.maxPool2d(PoolOptions(kernel: (2, 2), stride: (2, 2)))
            return try z.resize(.bilinearHalfPixel, height: y.shape[2], width: y.shape[3]) + y.resize(.bilinearAlignCorners, height: x.shape[2], width: x.shape[3]).sum([2, 3], keep: true)
        })
        #expect(back.oneSize == nil)
        let shapes = back.graph.node.filter { $0.opType == "Shape" }
        #expect(Set(shapes.map { $0.input[0] }) == ["images", "conv2d"])

        // Numbers of pixels, halves, and doubles.
        let flat = try any(lambda { x in try x.reshape([x.shape[0] * 3, x.shape[2] * x.shape[3]]) })
        #expect(flat.oneSize == nil && flat.graph.node.map(\.opType).suffix(2) == ["Concat", "Reshape"])
        let half = try any(Layer.resize(.nearest, scale: 0.5))
        #expect(half.oneSize == nil && half.graph.node.last?.opType == "Gather" && shape(half.graph) == ["batch", "3", "height/2", "width/2"])

        // A network for images of one size, and a constant of that size, stay with it and say so.
        let linear = try any(Sequential([Layer.flatten(), try Linear(3 * 9 * 12, 2)]))
        #expect(linear.oneSize?.contains("linear") == true || linear.oneSize?.contains("matmul") == true, "\(linear.oneSize ?? "nil")")
        #expect(linear.graph.input[0].type.tensorType.shape.dim.map(\.dimValue) == [0, 3, 9, 12])
        let ramp = try any(lambda { x in try x + Tensor((0..<x.shape[3]).map(Float.init)) })
        #expect(ramp.oneSize?.contains("holds other numbers") == true)
    }

    @Test func meansAreMeans() throws {
        #expect(try graph(Layer.globalAveragePool()).node.map(\.opType) == ["GlobalAveragePool"])
        let overBatch = try graph(lambda { try $0.mean([0, 2]) })
        #expect(overBatch.node.map(\.opType) == ["ReduceMean"])
        #expect(attribute(overBatch.node[0], "axes")?.ints == [0, 2])
        // A sum that is divided by something else is not.
        #expect(try graph(lambda { try $0.sum([2, 3]) / 7 }).node.map(\.opType) == ["ReduceSum", "Div"])
    }

    @Test func whatDependsOnParametersAloneIsComputed() throws {
        let alpha = try Tensor([0, 0], shape: [1, 2])
        let graph = try graph(lambda { x in try x * alpha.softmax(1).narrow(1, 0, 1).reshape([]) })
        #expect(graph.node.map(\.opType) == ["Mul"])
        let half = try #require(graph.initializer.first)
        #expect(half.rawData.withUnsafeBytes { $0.load(as: Float.self) } == 0.5)
    }

    @Test func whatTheOutputDoesNotNeedIsLeftOut() throws {
        let conv = try Conv2d(3, 3, kernel: (1, 1))
        let graph = try graph(lambda { x in
            _ = try conv(x)
            return try x.unary(.tanh).detach()
        })
        #expect(graph.node.map(\.opType) == ["Tanh"])
        #expect(graph.initializer.isEmpty)
    }

    @Test func anIdentityIsANodeOfItsOwn() throws {
        #expect(try graph(Layer.identity()).node.map(\.opType) == ["Identity"])
        // The result is read inside as well: its name must not change there.
        let twice = try graph(lambda { x in
            let y = try x.unary(.relu)
            _ = try y.unary(.exp)
            return y
        })
        #expect(twice.node.last?.output == ["output"])
    }

    @Test func broadcastsThatTheReaderDoesAreLeftToIt() throws {
        #expect(try graph(lambda { try $0 - $0.mean([2, 3], keep: true).expand($0.shape) }).node.map(\.opType) == ["GlobalAveragePool", "Sub"])
        // Nothing else says how large this one is.
        let pooled = try graph(lambda { try $0.mean([2, 3], keep: true).expand($0.shape).unary(.exp) })
        #expect(pooled.node.map(\.opType) == ["GlobalAveragePool", "Expand", "Exp"])
        #expect(try constant(pooled, pooled.node[1].input[1]) == [1, 1, 9, 12])
    }

    @Test func stacksOfBatchesBecomePlainShapes() throws {
        let weights = try Tensor([1, 2])
        let spread = try graph(lambda { try $0.spreadGroups(2).weightGroups(weights) })
        #expect(spread.node.map(\.opType) == ["Concat", "Reshape", "Reshape", "Mul", "ReduceSum"])
        #expect(try constant(spread, spread.node[1].input[1]) == [2, -1, 3, 9, 12])
        #expect(spread.output[0].type.tensorType.shape.dim[0].dimParam == "batch")

        // Two batches, each channel twice: means 1 ... 12, variances 4.
        let fours = [Float](repeating: 4, count: 6)
        let numbers: [Float] = [1, 2, 3, 4, 5, 6] + fours + [7, 8, 9, 10, 11, 12] + fours
        let statistics = try Tensor(numbers, shape: [2, 2, 6])
        let gamma = try Tensor([2, 2, 2, 4, 4, 4])
        let norm = try graph(lambda { try $0.spreadGroups(2).stackedNorm(groups: 2, repeats: 2, statistics: statistics, gamma: gamma, epsilon: 0) })
        #expect(norm.node.map(\.opType) == ["Concat", "Concat", "Reshape", "Mul", "Add", "Reshape"])
        func floats(_ name: String) throws -> [Float] {
            try #require(norm.initializer.first { $0.name == name }).rawData.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        }
        #expect(try floats(norm.node[3].input[1]) == [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2])
        #expect(try floats(norm.node[4].input[1]) == [-1, -2, -3, -8, -10, -12, -7, -8, -9, -20, -22, -24])

        let one = try graph(lambda { try $0.scaledChannels(gamma, repeats: 2, unit: Tensor.unitMoments()) })
        #expect(one.node.map(\.opType) == ["Concat", "BatchNormalization"])

        let kernel = try Tensor.ones([6, 1, 1, 1])
        let conv = try graph(lambda { try $0.conv2d(kernel, ConvOptions(groups: 6, repeats: 2)) })
        #expect(conv.node.map(\.opType) == ["Concat", "Conv"] && conv.node[0].input == ["images", "images"])
    }

    @Test func errorsNameTheOperationAndItsModule() throws {
        let noisy = Sequential(named: [("body", Sequential(named: [("noise", lambda { try $0 + Tensor.random(.normal(mean: 0, deviation: 1), $0.shape) })]))])
        let unknown = problem { _ = try graph(noisy) }
        #expect(unknown?.operation == "random" && unknown?.path == "body.noise")

        let rejected = problem { _ = try graph(Sequential(named: [("conv", try Conv2d(4, 2, kernel: (1, 1)))])) }
        #expect(rejected?.path == "conv" && rejected?.problem.contains("[1, 3, 9, 12]") == true)

        let cubed = problem { _ = try graph(lambda { x in try x.sum([0, 1, 2, 3]).reshape([1]).expand([x.shape[0] * x.shape[0] * x.shape[0]]) }) }
        #expect(cubed?.problem.contains("343, 1331, 2197 for images of 7x3x9x12") == true)

        let other = problem { _ = try graph(lambda { x in x.shape[0] > 10 ? try x.unary(.relu) : try x.unary(.exp) }) }
        #expect(other?.problem.contains("another number") == true)
        #expect(problem { _ = try graph(Layer.relu(), 0, 4) }?.problem.contains("height") == true)
    }

    @Test func aModelSaysWhatItIs() throws {
        let model = try ONNXFile.model(
            Layer.relu(), .init(height: 2, width: 2, channels: 1, producerVersion: "9", metadata: ["classes": "5", "architecture": "{}"])).message
        #expect(model.irVersion == 8 && model.opsetImport.map(\.version) == [17])
        #expect(model.producerName == "trellis" && model.producerVersion == "9")
        #expect(model.metadataProps.map(\.key) == ["architecture", "classes"])
    }

    @Test func filesLargerThanAMessageAreRefused() {
        #expect(throws: FileError.self) { try ONNXFile.check(size: 1 << 31, "x.onnx") }
        #expect(throws: Never.self) { try ONNXFile.check(size: 1 << 30, "x.onnx") }
    }
}

@Suite struct SizeTests {
    @Test func rulesHoldInAllRecordings() {
        let batch = Size([7, 11, 13])
        #expect(Size([5, 5, 5]).fixed == 5 && Size([5, 5, 5]) == Size(5))
        #expect(SizeRule(Size([22, 34, 40]), of: batch, probes: 3) == .linear(factor: 3, offset: 1))
        #expect(SizeRule(Size([49, 121, 169]), of: batch, probes: 3) == nil)
        #expect(SizeRule(Size([7, 7, 13]), of: batch, probes: 3) == nil)
        #expect(SizeRule(Size([4, 6, 7]), of: batch, probes: 3) == .quotient(by: 2, more: 1))
        #expect(SizeRule(Size([3, 5, 6]), of: batch, probes: 3) == .quotient(by: 2, more: 0))
        #expect(SizeRule.linear(factor: 2, offset: -1).text(of: "batch") == "2*batch-1")
        #expect(SizeRule.quotient(by: 4, more: 3).text(of: "height") == "(height+3)/4")
        #expect((batch + 1) * 2 - batch == Size([9, 13, 15]))
    }
}
