/// In the history of a tensor that has one which was not kept, and why.
struct LostRule: OperationRule {
    let reason: String

    private var error: TensorError { TensorError("backward", reason) }
    var name: String { "a compiled function" }
    var operands: OperandTypes { .alike }
    func shape(_ x: [Tensor]) throws -> [Int] { throw error }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { throw error }
    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { throw error }
}
