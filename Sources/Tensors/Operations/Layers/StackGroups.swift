import Kernels

// Weighted sums over the batches of a stack [A·N, ...]: three bilinear operations that are each other's derivatives, as those of a convolution are.

/// (x [N, ...], weights [A]?) -> [A·N, ...]: each batch of the stack is x times its weight.
struct SpreadGroupsRule: OperationRule {
    let groups: Int
    let weighted: Bool

    var name: String { "spread_groups" }
    var traits: OperationTraits { OperationTraits(fusions: .accumulate) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        let shape = x[0].shape
        try Stacks.check(x, name, !shape.isEmpty && (!weighted || x[1].shape == [groups]), "[N, ...] and weights [\(groups)]")
        return [shape[0] * groups] + shape.dropFirst()
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let back = try Operation.weightGroups(groups: groups, weighted: weighted).apply([g] + x.dropFirst())
        return [back] + (weighted ? [x[1].requiresGrad ? try Operation.groupProducts(groups: groups)(g, x[0]) : nil] : [])
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (count, n, groups, weighted, accumulate) = (x[0].layout.count, x.count, groups, weighted, form.has(.accumulate))
        return { p in
            StackedNormalisation.spread(
                groups, count, p.floats(0), weights: weighted ? UnsafePointer(p.floats(1)) : nil, p.floats(n), accumulate: accumulate)
        }
    }
}

/// (x [A·N, ...], weights [A]?) -> [N, ...]: the weighted sum of a stack's batches, the adjoint of `SpreadGroupsRule`.
struct WeightGroupsRule: OperationRule {
    let groups: Int
    let weighted: Bool

    var name: String { "weight_groups" }
    var traits: OperationTraits { OperationTraits(repetition: .cheap) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        let shape = x[0].shape
        try Stacks.check(
            x, name, !shape.isEmpty && shape[0] % groups == 0 && (!weighted || x[1].shape == [groups]), "[A·N, ...] with A = \(groups) and weights [\(groups)]")
        return [shape[0] / groups] + shape.dropFirst()
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let back = try Operation.spreadGroups(groups: groups, weighted: weighted).apply([g] + x.dropFirst())
        return [back] + (weighted ? [x[1].requiresGrad ? try Operation.groupProducts(groups: groups)(x[0], g) : nil] : [])
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (count, n, groups, weighted) = (y.layout.count, x.count, groups, weighted)
        return { p in StackedNormalisation.weigh(groups, count, p.floats(0), weights: weighted ? UnsafePointer(p.floats(1)) : nil, p.floats(n)) }
    }
}

/// (x [A·N, ...], y [N, ...]) -> [A]: Σ x·y of each batch of the stack.
struct GroupProductsRule: OperationRule {
    let groups: Int

    var name: String { "group_products" }

    func shape(_ x: [Tensor]) throws -> [Int] {
        let shape = x[0].shape
        try Stacks.check(
            x, name, !shape.isEmpty && [shape[0] / groups] + shape.dropFirst() == x[1].shape && shape[0] % groups == 0, "[A·N, ...] and [N, ...] with A = \(groups)")
        return [groups]
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [
            try Operation.spreadGroups(groups: groups, weighted: true)(x[1], g), try Operation.weightGroups(groups: groups, weighted: true)(x[0], g),
        ]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (count, groups) = (x[1].layout.count, groups)
        return { p in StackedNormalisation.products(groups, count, p.floats(0), p.floats(1), p.floats(2)) }
    }
}

extension Tensor {
    /// Σ_a weights[a]·x_a over the `groups` batches of a stack [A·N, ...].
    public func weightGroups(_ weights: Tensor) throws -> Tensor { try Operation.weightGroups(groups: weights.count, weighted: true)(self, weights) }

    /// The same batch `groups` times, [N, ...] -> [A·N, ...].
    public func spreadGroups(_ groups: Int) throws -> Tensor {
        groups == 1 ? self : try Operation.spreadGroups(groups: groups, weighted: false)(self)
    }
}
