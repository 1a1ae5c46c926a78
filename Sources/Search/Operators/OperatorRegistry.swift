import Networks
import Tensors

/// What an operator is built for.
public struct OperatorContext: Sendable {
    /// Channels in and out.
    public var channels: Int
    /// 2 on a down arrow of a derived network, for operators that read a cell's input; else 1.
    public var stride: Int
    /// Whether batch norms have weights: in the derived network, not in the search.
    public var affine: Bool
    public var epsilon: Float
    public var momentum: Float

    public init(channels: Int, stride: Int = 1, affine: Bool = false, epsilon: Float = 1e-5, momentum: Float = 0.1) {
        self.channels = channels
        self.stride = stride
        self.affine = affine
        self.epsilon = epsilon
        self.momentum = momentum
    }

    func norm() throws -> BatchNorm { try BatchNorm(channels, affine: affine, epsilon: epsilon, momentum: momentum) }
}

/// Operators by name: the one definition that supernet and derived network build from.
public final class OperatorRegistry {
    public typealias Factory = (OperatorContext) throws -> Module

    public private(set) var names: [String] = []
    private var factories: [String: Factory] = [:]

    public init() {}

    /// Adds or replaces an operator.
    public func add(_ name: String, _ factory: @escaping Factory) {
        if factories.updateValue(factory, forKey: name) == nil { names.append(name) }
    }

    public func contains(_ name: String) -> Bool { factories[name] != nil }

    /// - Throws: `SpaceError` with the nearest right name for one that is not known.
    public func make(_ name: String, _ context: OperatorContext) throws -> Module {
        guard let factory = factories[name] else { throw SpaceError.unknown("operator", name, known: names, at: "operators") }
        return try factory(context)
    }

    /// The operator as a derived network uses it: at stride 2 it halves the size, rounded up, whatever its factory knows of strides.
    public func makeSized(_ name: String, _ context: OperatorContext) throws -> Module {
        try OperatorRegistry.sized(make(name, context), name, context)
    }

    /// A module that ignores stride 2 and keeps the size gets its input resized by half first (bilinear), as the released code does with
    /// atrous convolutions.
    /// - Throws: for one that does neither that nor halve.
    public static func sized(_ module: Module, _ name: String, _ context: OperatorContext) throws -> Module {
        guard context.stride == 2 else { return module }
        let c = context.channels
        let got = try located("operator '\(name)'") {
            try Recording.measure([1, c, 9, 6]) { x in try Module.inMode(training: false) { try module(x) } }.shape
        }
        if got == [1, c, 5, 3] { return module }
        if got == [1, c, 9, 6] { return Sequential(named: [("resize", Layer.halve()), ("operator", module)]) }
        throw SpaceError(
            .misfit, at: "operator '\(name)' with stride 2", expected: "[1, \(c), 5, 3] of [1, \(c), 9, 6], or the size kept", got: "\(got)",
            remedy: "halve the size, rounded up, or ignore the stride")
    }

    /// The ten operators of the design; scripts add theirs.
    nonisolated(unsafe) public static let shared: OperatorRegistry = {
        let registry = OperatorRegistry()
        StandardOperators.add(to: registry)
        return registry
    }()
}

/// The operators of Auto-DeepLab and, for the atrous ones, DARTS' depthwise variant. Same padding everywhere.
enum StandardOperators {
    static func add(to registry: OperatorRegistry) {
        registry.add(StandardOperator.none.rawValue) { _ in throw TensorError("none", "computes nothing and has no module") }
        for (name, largest) in [("max_pool_3x3", true), ("avg_pool_3x3", false)] {
            registry.add(name) { context in
                let options = PoolOptions(kernel: (3, 3), stride: (context.stride, context.stride), padding: (1, 1))
                let pool = largest ? Layer.maxPool2d(options) : Layer.averagePool2d(options, countPadding: false)
                return Sequential(named: [("pool", pool), ("bn", try context.norm())])
            }
        }
        registry.add("skip_connect") { context in
            guard context.stride > 1 else { return Layer.identity() }
            let (c, stride) = (context.channels, context.stride)
            let conv = try Conv2d(c, c, kernel: (1, 1), stride: (stride, stride), bias: false)
            return Sequential(named: [("relu", Layer.relu()), ("conv", conv), ("bn", try context.norm())])
        }
        for k in [3, 5] {
            registry.add("sep_conv_\(k)x\(k)") { try separable(k, $0) }
            registry.add("atrous_conv_\(k)x\(k)") { try atrous(k, $0) }
            registry.add("dil_conv_\(k)x\(k)") { try dilated(k, $0) }
        }
    }

    /// Twice: ReLU, depthwise k×k, pointwise 1×1, BN. A stride is the first depthwise's.
    private static func separable(_ k: Int, _ context: OperatorContext) throws -> Module {
        var parts: [(name: String, module: Module)] = []
        let c = context.channels
        for (i, stride) in [(1, context.stride), (2, 1)] {
            parts.append(("relu\(i)", Layer.relu()))
            parts.append(("depthwise\(i)", try Conv2d(c, c, kernel: (k, k), stride: (stride, stride), padding: (k / 2, k / 2), groups: c, bias: false)))
            parts.append(("pointwise\(i)", try Conv2d(c, c, kernel: (1, 1), bias: false)))
            parts.append(("bn\(i)", try context.norm()))
        }
        return Sequential(named: parts)
    }

    /// ReLU, dense k×k at rate 2, BN. With stride 2 the input is resized by half first and the rate is 1, as Google's code does.
    private static func atrous(_ k: Int, _ context: OperatorContext) throws -> Module {
        let c = context.channels
        let rate = context.stride == 1 ? 2 : 1
        let pad = rate * (k / 2)
        let conv = try Conv2d(c, c, kernel: (k, k), padding: (pad, pad), dilation: (rate, rate), bias: false)
        let parts: [(name: String, module: Module)] = [("relu", Layer.relu()), ("conv", conv), ("bn", try context.norm())]
        return Sequential(named: (context.stride == 1 ? [] : [("resize", Layer.halve())]) + parts)
    }

    /// ReLU, depthwise k×k at rate 2, pointwise 1×1, BN.
    private static func dilated(_ k: Int, _ context: OperatorContext) throws -> Module {
        let c = context.channels
        let depthwise = try Conv2d(
            c, c, kernel: (k, k), stride: (context.stride, context.stride), padding: (k - 1, k - 1), dilation: (2, 2), groups: c, bias: false)
        return Sequential(named: [
            ("relu", Layer.relu()), ("depthwise", depthwise), ("pointwise", try Conv2d(c, c, kernel: (1, 1), bias: false)), ("bn", try context.norm()),
        ])
    }
}

extension Layer {
    /// To half the size, rounded up, bilinear with aligned corners.
    static func halve() -> Module {
        Lambda("resize", details: "by half") { x, _ in
            try x.resize(.bilinearAlignCorners, height: (x.shape[2] + 1) / 2, width: (x.shape[3] + 1) / 2)
        }
    }
}
