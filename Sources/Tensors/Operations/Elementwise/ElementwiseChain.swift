import Kernels

/// A tree of element-wise operations that runs as one pass: leaves are inputs, counted from left to right.
struct ElementwiseChain {
    static let longest = 24
    static let mostInputs = 12

    private indirect enum Expression {
        case input
        case call(Operation, [Expression])
    }

    private var root: Expression
    private(set) var length = 1

    init(_ operation: Operation, inputs: Int) {
        root = .call(operation, [Expression](repeating: .input, count: inputs))
    }

    /// Replaces leaf `index` by an operation over `inputs` leaves of its own.
    mutating func inline(_ operation: Operation, at index: Int, inputs: Int) {
        var seen = 0
        func replace(_ expression: Expression) -> Expression {
            switch expression {
            case .input:
                defer { seen += 1 }
                return seen == index ? .call(operation, [Expression](repeating: .input, count: inputs)) : .input
            case .call(let outer, let parts):
                return .call(outer, parts.map(replace))
            }
        }
        root = replace(root)
        length += 1
    }

    /// One kernel for the whole tree.
    func kernel(_ x: [Operand], _ y: Operand) -> Launch {
        let program = program(inputs: x.count)
        let (shape, strides) = Collapse.dimensions(
            y.shape, x.map { $0.layout.broadcastStrides(to: y.shape) } + [y.layout.strides])
        let job = ElementwiseJob(program, shape: shape, strides: strides)
        return { p in job.run(p) }
    }

    /// The tree as straight-line code. Constants get registers after the code's, so their indices are fixed up at the end.
    private func program(inputs: Int) -> ElementwiseProgram {
        var code: [ElementwiseProgram.Instruction] = []
        var constants: [Float] = []
        var leaves = 0
        /// Registers of constants are written as -1 - index until the code's length is known.
        func constant(_ value: Float) -> Int {
            if let known = constants.firstIndex(where: { $0.bitPattern == value.bitPattern }) { return -1 - known }
            constants.append(value)
            return -constants.count
        }
        func emit(_ opcode: ElementwiseProgram.Opcode, _ a: Int, _ b: Int = 0, _ c: Int = 0) -> Int {
            code.append(ElementwiseProgram.Instruction(opcode, a, b, c))
            return inputs + code.count - 1
        }
        func unary(_ f: UnaryFunction, _ a: Int) -> Int {
            switch f.kernel {
            case .opcode(let opcode): emit(opcode, a)
            case .formula(let formula): run(formula, a)
            }
        }
        func binary(_ f: BinaryFunction, _ a: Int, _ b: Int) -> Int {
            f == .gate ? emit(.select, emit(.step, a), b, constant(0)) : emit(f.opcode, a, b)
        }
        func run(_ formula: Formula, _ x: Int) -> Int {
            switch formula {
            case .x: x
            case .y: preconditionFailure("a function of one value has no second operand")
            case .number(let number): constant(Float(number))
            case .unary(let f, let a): unary(f, run(a, x))
            case .binary(let f, let a, let b): binary(f, run(a, x), run(b, x))
            case .select(let condition, let a, let b): emit(.select, run(condition, x), run(a, x), run(b, x))
            }
        }
        func compile(_ expression: Expression) -> Int {
            guard case .call(let operation, let parts) = expression else {
                defer { leaves += 1 }
                return leaves
            }
            let operands = parts.map(compile)
            switch operation {
            case .unary(let f): return unary(f, operands[0])
            case .binary(let f): return binary(f, operands[0], operands[1])
            case .scalar(let f, let s, let first):
                return first ? binary(f, constant(Float(s)), operands[0]) : binary(f, operands[0], constant(Float(s)))
            case .select: return emit(.select, operands[0], operands[1], operands[2])
            default: preconditionFailure("\(operation.name) is not element-wise")
            }
        }
        let result = compile(root)
        func register(_ r: Int) -> Int { r < 0 ? inputs + code.count - 1 - r : r }
        let final = code.map { ElementwiseProgram.Instruction($0.opcode, register($0.a), register($0.b), register($0.c)) }
        return ElementwiseProgram(inputs: inputs, constants: constants, code: final, outputs: [result])
    }
}
