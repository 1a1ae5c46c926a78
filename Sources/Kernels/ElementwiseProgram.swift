/// A straight-line program over registers, applied to each element of a broadcast iteration space. Registers 0 ..< `inputs`
/// are the inputs; then one register per instruction, in order; then one per constant, after all instructions' registers.
public struct ElementwiseProgram: Hashable, Sendable {
    /// Comparisons, `step` and `sign` give 0, 1 (or -1); `sign`, `max` and `min` give NaN where an operand is; `round` rounds
    /// halves to even; `step` is x > 0; `select` is a != 0 ? b : c; `fma` is a·b + c.
    public enum Opcode: UInt8, Sendable, CaseIterable {
        // The raw values are known to the kernels.
        case add, sub, mul, div, pow, max, min, eq, ne, lt, le, gt, ge
        case neg, abs, sign, exp, log, sqrt, rsqrt, reciprocal, square, relu, sigmoid, tanh, step, sin, cos, floor, ceil
        case round, copy
        case select, fma
        case erf

        /// Number of operands.
        public var arity: Int {
            switch self {
            case .add, .sub, .mul, .div, .pow, .max, .min, .eq, .ne, .lt, .le, .gt, .ge: 2
            case .select, .fma: 3
            default: 1
            }
        }
    }

    public struct Instruction: Hashable, Sendable {
        public var opcode: Opcode
        /// Registers read; those beyond the operation's arity are not looked at.
        public var a, b, c: Int

        public init(_ opcode: Opcode, _ a: Int, _ b: Int = 0, _ c: Int = 0) {
            self.opcode = opcode
            self.a = a
            self.b = b
            self.c = c
        }

        func reads(_ register: Int) -> Bool {
            a == register || (opcode.arity > 1 && b == register) || (opcode.arity > 2 && c == register)
        }
    }

    public var inputs: Int
    public var constants: [Float]
    public var code: [Instruction]
    /// The registers stored, in the order of the run's outputs.
    public var outputs: [Int]

    public init(inputs: Int, constants: [Float] = [], code: [Instruction], outputs: [Int]) {
        self.inputs = inputs
        self.constants = constants
        self.code = code
        self.outputs = outputs
    }

    /// A program of one instruction whose operands are the inputs.
    public init(_ opcode: Opcode) {
        let n = opcode.arity
        self.init(inputs: n, code: [Instruction(opcode, 0, n > 1 ? 1 : 0, n > 2 ? 2 : 0)], outputs: [n])
    }

    /// The register that holds constant `index`.
    public func constant(_ index: Int) -> Int { inputs + code.count + index }

    /// All registers exist and are written before they are read.
    var isValid: Bool {
        let results = inputs + code.count
        let all = results + constants.count
        func readable(_ r: Int, before i: Int) -> Bool { (0..<inputs + i).contains(r) || (results..<all).contains(r) }
        for (i, instruction) in code.enumerated() {
            let operands = [instruction.a, instruction.b, instruction.c].prefix(instruction.opcode.arity)
            guard operands.allSatisfy({ readable($0, before: i) }) else { return false }
        }
        return outputs.allSatisfy { (0..<all).contains($0) }
    }
}
