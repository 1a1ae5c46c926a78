import Tensors

/// Layers without parameters.
public enum Layer {
    /// An element-wise function as a layer.
    public static func activation(_ function: UnaryFunction) -> Module { Lambda(function.name) { x, _ in try x.unary(function) } }
    public static func relu() -> Module { activation(.relu) }
    public static func identity() -> Module { Lambda("identity") { x, _ in x } }
    /// Along dimension `axis` (from 0).
    public static func softmax(axis: Int) -> Module { Lambda("softmax", details: "dimension \(axis + 1)") { x, _ in try x.softmax(axis) } }
    public static func flatten() -> Module {
        Lambda("flatten") { x, _ in try x.reshape([x.shape.first ?? 1, x.shape.dropFirst().reduce(1, *)]) }
    }

    public static func maxPool2d(_ options: PoolOptions) -> Module {
        Lambda("max_pool2d", details: text(options)) { x, _ in try x.maxPool2d(options) }
    }
    public static func averagePool2d(_ options: PoolOptions, countPadding: Bool) -> Module {
        Lambda("avg_pool2d", details: text(options) + (countPadding ? "" : ", padding not counted")) { x, _ in
            try x.averagePool2d(options, countPadding: countPadding)
        }
    }
    /// [N, C, H, W] to [N, C, 1, 1].
    public static func globalAveragePool() -> Module { Lambda("global_avg_pool") { x, _ in try x.mean([2, 3], keep: true) } }

    /// To a fixed size, or by a factor.
    public static func resize(_ mode: ResizeMode, size: (Int, Int)? = nil, scale: Double = 1) -> Module {
        Lambda("resize", details: "\(mode) " + (size.map { "\($0.0)x\($0.1)" } ?? "by \(scale)")) { x, _ in
            guard x.rank == 4 else { throw TensorError("resize", "expects [N, C, H, W], got \(x.shape)") }
            let (height, width) = size ?? (Int(Double(x.shape[2]) * scale), Int(Double(x.shape[3]) * scale))
            return try x.resize(mode, height: height, width: width)
        }
    }

    /// Zeroes each value with this probability in training and scales the rest by 1/(1 - p).
    public static func dropout(_ p: Float) throws -> Module {
        guard p >= 0, p < 1 else { throw TensorError("dropout", "probability should be in [0, 1), got \(p)") }
        return Lambda("dropout", details: "\(p)", hasMode: p > 0) { x, module in
            guard p > 0 else { return x }
            guard module.isTraining else { return try Recording.passing(x) }
            return try x * (Tensor.random(.bernoulli(1 - p), x.shape) / (1 - p))
        }
    }

    private static func text(_ o: PoolOptions) -> String {
        "kernel \(o.kernelHeight)x\(o.kernelWidth), stride \(o.strideHeight)x\(o.strideWidth), padding \(o.padHeight)x\(o.padWidth)"
    }
}
