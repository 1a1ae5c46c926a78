// Operations that look at the same elements in another way. Where they cannot be a view of the memory, they copy.

extension OperationRule {
    /// Copies the elements that the view would have.
    fileprivate func copy(_ x: Operand, _ y: Operand) -> Launch { Loops.copy(viewLayout(x.layout, y.shape)?.0 ?? x.layout, y.layout) }
}

/// Repeats along dimensions of size 1.
struct BroadcastRule: OperationRule {
    let target: [Int]

    var name: String { "expand" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(isView: true, makesValue: false) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        guard Shapes.broadcast(x[0].shape, target) == target else {
            throw TensorError("expand", "\(Shapes.text(x[0].shape)) does not expand to \(Shapes.text(target)): only sizes of 1 can grow")
        }
        return target
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [try g.sum(to: x[0].shape)] }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }
    func viewLayout(_ x: TensorLayout, _ shape: [Int]) -> (TensorLayout, Int)? { (TensorLayout(shape: shape, strides: x.broadcastStrides(to: shape)), 0) }
    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { copy(x[0], y) }
}

/// The elements in row-major order under another shape.
struct ReshapeRule: OperationRule {
    let target: [Int]

    var name: String { "reshape" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(isView: true, makesValue: false) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        let count = target.reduce(1, *)
        guard count == x[0].count else {
            throw TensorError("reshape", "\(Shapes.text(x[0].shape)) has \(x[0].count) elements, \(Shapes.text(target)) wants \(count)")
        }
        return target
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [try g.reshape(x[0].shape)] }
    func viewLayout(_ x: TensorLayout, _ shape: [Int]) -> (TensorLayout, Int)? { x.reshaped(to: shape).map { ($0, 0) } }
    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { copy(x[0], y) }
}

/// Dimensions in another order.
struct PermuteRule: OperationRule {
    let order: [Int]

    var name: String { "permute" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(isView: true, makesValue: false) }
    func shape(_ x: [Tensor]) throws -> [Int] { order.map { x[0].shape[$0] } }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [try g.permute(order.indices.map { i in order.firstIndex(of: i) ?? i })]
    }

    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }
    func viewLayout(_ x: TensorLayout, _ shape: [Int]) -> (TensorLayout, Int)? { (TensorLayout(shape: shape, strides: order.map { x.strides[$0] }), 0) }
    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { copy(x[0], y) }
}

/// The same value without its history.
struct DetachRule: OperationRule {
    var name: String { "detach" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(isView: true, isIdentity: true, hasDerivative: false, makesValue: false) }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [nil] }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }
    func viewLayout(_ x: TensorLayout, _ shape: [Int]) -> (TensorLayout, Int)? { (x, 0) }
    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { copy(x[0], y) }
}

/// The same value as if in memory of its own: in recordings, where nothing overwrites values, instead of a copy. No two are equal.
struct AliasRule: OperationRule {
    let number: Int

    var name: String { "clone" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(isIdentity: true, makesValue: false) }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [g] }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }
    func viewLayout(_ x: TensorLayout, _ shape: [Int]) -> (TensorLayout, Int)? { (x, 0) }
    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { copy(x[0], y) }
}

/// A copy.
struct CopyRule: OperationRule {
    var name: String { "clone" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(isIdentity: true) }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [g] }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }
    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { copy(x[0], y) }
}
