import Kernels

/// The most frequent operations of a script run without the general machinery of kernels, whose preparations take longer than the
/// arithmetic of small tensors.
extension Operation {
    /// Runs element-wise float32 operations on contiguous operands of the result's shape, or of one element; false for all others.
    func runDirectly(_ x: [Tensor], _ y: Tensor) throws -> Bool {
        guard y.dtype == .float32 else { return false }
        let count = y.count
        func operand(_ tensor: Tensor) throws -> Elementwise.Operand? {
            if tensor.layout.shape == y.layout.shape, tensor.isContiguous {
                return .elements(UnsafePointer(try tensor.pointer(for: name).assumingMemoryBound(to: Float.self)))
            }
            return tensor.count == 1 ? .number(try tensor.pointer(for: name).load(as: Float.self)) : nil
        }
        let opcode: ElementwiseProgram.Opcode
        let a: Elementwise.Operand
        var b = Elementwise.Operand.number(0)
        switch self {
        case .unary(let f):
            guard let code = f.opcode, let only = try operand(x[0]) else { return false }
            (opcode, a) = (code, only)
        case .binary(let f) where f != .gate:
            guard let first = try operand(x[0]), let second = try operand(x[1]) else { return false }
            (opcode, a, b) = (f.opcode, first, second)
        case .scalar(let f, let value, let scalarFirst) where f != .gate:
            guard let only = try operand(x[0]) else { return false }
            let number = Elementwise.Operand.number(Float(value))
            (opcode, a, b) = scalarFirst ? (f.opcode, number, only) : (f.opcode, only, number)
        default:
            return false
        }
        Elementwise.single(opcode, a, b, into: try y.pointer(for: name).assumingMemoryBound(to: Float.self), count: count)
        return true
    }
}
