/// Fresh random numbers each time it runs, of the draw-th stream that the run takes.
struct RandomRule: OperationRule {
    let distribution: RandomDistribution
    let size: [Int]
    let draw: Int

    var name: String { "random" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(hasDerivative: false) }
    func shape(_ x: [Tensor]) throws -> [Int] { size }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (count, distribution, draw) = (y.layout.count, distribution, draw)
        return { p in RandomState.global.fill(p.floats(0), count, distribution, drawOfRun: draw) }
    }
}

/// 0 ..< n in random order, int32, new each time it runs.
struct PermutationRule: OperationRule {
    let count: Int
    let draw: Int

    var name: String { "permutation" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(hasDerivative: false) }
    func shape(_ x: [Tensor]) throws -> [Int] { [count] }
    func dtype(_ x: [Tensor]) -> DType { .int32 }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (count, draw) = (count, draw)
        return { p in
            for (i, place) in RandomState.global.permutation(count, drawOfRun: draw).enumerated() { p.ints(0)[i] = place }
        }
    }
}
