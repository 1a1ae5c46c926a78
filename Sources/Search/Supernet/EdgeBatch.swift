import Networks
import Tensors

/// One operator on all edges that leave a state, as one computation: the edges read the same input, so several convolutions of it are one with more
/// output channels, and what follows works on the channels of all of them side by side.
///
/// Exact, up to the order of additions. It holds for operators made of convolutions, batch norms, and layers that treat every channel by itself, in a
/// sequence; others run edge by edge.
enum EdgeBatch {
    /// False: edge by edge and arrow by arrow, what tests compare with.
    nonisolated(unsafe) static var isOn = true

    /// Not in graphs for others to read either, which know the usual operations only.
    static var isUsed: Bool { isOn && !(Recording.current?.isForReaders ?? false) }

    /// What the edges have at some point of their operators.
    enum Values {
        /// All have the same, [N, C, ...].
        case shared(Tensor)
        /// Side by side along the channels, [N, edges·C, ...].
        case stacked(Tensor)
    }

    /// Whether modules, one of each edge, have the same structure and nothing but layers that can be run as one.
    static func fits(_ modules: [Module]) -> Bool {
        guard let first = modules.first else { return false }
        switch first {
        case let first as Sequential:
            return first.modules.indices.allSatisfy { place in
                let parts = modules.compactMap { ($0 as? Sequential)?.modules }.filter { $0.count == first.modules.count }.map { $0[place].module }
                return parts.count == modules.count && fits(parts)
            }
        case let first as Conv2d:
            return first.bias == nil
                && modules.allSatisfy { module in
                    guard let conv = module as? Conv2d else { return false }
                    return conv.bias == nil && conv.options == first.options && conv.weight.shape == first.weight.shape
                }
        case let first as BatchNorm:
            return modules.allSatisfy { ($0 as? BatchNorm)?.isLike(first) ?? false }
        case let first as Lambda:
            return first.reach == .channel && modules.allSatisfy { $0 is Lambda && $0.reach == .channel && $0.kind == first.kind && $0.details == first.details }
        default:
            return false
        }
    }

    /// Lays the parameters and statistics of modules that `fits` side by side.
    static func pack(_ modules: [Module], branches: [String]) throws {
        if let sequence = modules.first as? Sequential {
            for place in sequence.modules.indices { try pack(modules.compactMap { ($0 as? Sequential)?.modules[place].module }, branches: branches) }
        }
        try Tensor.pack(modules.compactMap { ($0 as? Conv2d)?.weight })
        let norms = modules.compactMap { $0 as? BatchNorm }
        if !norms.isEmpty { try BatchNorm.pack(norms, branches: branches) }
    }

    /// What multiplies a result: [edges·C], and the moments of a norm that does nothing else.
    struct Factors {
        let values: Tensor
        let unit: Tensor
    }

    /// - Parameter factors: multiplies the result, whose edges then stand side by side.
    static func apply(_ modules: [Module], _ x: Values, factors: Factors?) throws -> Values {
        switch modules.first {
        case let first as Sequential where !first.modules.isEmpty:
            var x = x
            for (place, part) in first.modules.enumerated() {
                let parts = modules.compactMap { ($0 as? Sequential)?.modules[place].module }
                x = try located(part.name) { try apply(parts, x, factors: place == first.modules.count - 1 ? factors : nil) }
            }
            return x
        case is Conv2d:
            return try scale(.stacked(convolve(modules.compactMap { $0 as? Conv2d }, x)), factors, modules.count)
        case is BatchNorm:
            return .stacked(try BatchNorm.stacked(modules.compactMap { $0 as? BatchNorm }, x.tensor, factors: factors?.values))
        case let first as Lambda:
            let y = try first(x.tensor)
            return try scale(x.isShared ? .shared(y) : .stacked(y), factors, modules.count)
        default:
            return try scale(x, factors, modules.count)
        }
    }

    private static func scale(_ x: Values, _ factors: Factors?, _ edges: Int) throws -> Values {
        guard let factors else { return x }
        return .stacked(try x.tensor.scaledChannels(factors.values, repeats: x.isShared ? edges : 1, unit: factors.unit))
    }

    private static func convolve(_ layers: [Conv2d], _ x: Values) throws -> Tensor {
        let weight = try Tensor.concat(layers.map(\.weight), 0)
        var options = layers[0].options
        if !x.isShared {
            options.groups *= layers.count
        } else if options.groups > 1 {
            options.groups *= layers.count
            options.repeats = layers.count
        }
        return try x.tensor.conv2d(weight, options)
    }
}

extension EdgeBatch.Values {
    var tensor: Tensor {
        switch self {
        case .shared(let x), .stacked(let x): x
        }
    }

    var isShared: Bool {
        if case .shared = self { return true }
        return false
    }
}
