/// The elements of memory [n] that a layout reaches from an offset on.
struct AsStridedRule: OperationRule {
    let layout: TensorLayout
    let offset: Int

    var name: String { "as_strided" }
    var operands: OperandTypes { .alike }
    func shape(_ x: [Tensor]) throws -> [Int] { layout.shape }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [try Operation.overwrite(layout, offset: offset)(Tensor.zeros(x[0].shape), g)] }
    func viewLayout(_ x: TensorLayout, _ shape: [Int]) -> (TensorLayout, Int)? { x.isContiguous ? (layout, offset) : nil }
    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { shifted(0, by: offset, Loops.copy(layout, y.layout)) }
}

/// (memory [n], x): the memory with x written where a layout reaches from an offset on. The adjoint of `AsStridedRule`.
struct OverwriteRule: OperationRule {
    let layout: TensorLayout
    let offset: Int

    var name: String { "assign" }
    var operands: OperandTypes { .alike }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || index == 1 }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [try Operation.overwrite(layout, offset: offset)(g, Tensor.zeros(x[1].shape)), try Operation.asStrided(layout, offset: offset)(g)]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let whole = Loops.copy(x[0].layout, y.layout)
        let write = shifted(1, by: offset, Loops.copy(x[1].layout, layout))
        return { p in
            try p.with(p[0], p[2], whole)
            try write(p + 1)
        }
    }
}
