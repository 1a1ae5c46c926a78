import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// Runs element-wise programs: instruction by instruction over tiles that stay in the first-level cache, whatever the
/// number of instructions, so that a chain costs one pass over memory. Inputs and outputs that are contiguous are read and
/// written in place, scalars are not expanded, everything else goes through a tile.
public enum Elementwise {
    /// `shape`: the iteration space, outermost first; strides in elements per input (output) and dimension, 0 = broadcast.
    /// An output may be the very memory of an input with the same strides.
    public static func run(
        _ program: ElementwiseProgram, shape: [Int], inputs: [UnsafePointer<Float>], inputStrides: [[Int]],
        outputs: [UnsafeMutablePointer<Float>], outputStrides: [[Int]]
    ) {
        let space = ElementSpace(
            shape: shape, memory: inputs.map { UnsafeMutablePointer(mutating: $0) } + outputs, strides: inputStrides + outputStrides)
        guard space.count > 0 else { return }
        let plan = ElementwisePlan(program, space, store: true)
        let grain = plan.grain
        ThreadPool.run((space.count + grain - 1) / grain) { piece in
            let first = piece * grain
            ElementwiseRun(plan, space)?.run(first, min(grain, space.count - first))
        }
    }

    /// Σ over the whole space of the program's one output, which is not stored. Partial sums of fixed stretches in Float,
    /// added in order in Double.
    public static func sum(
        _ program: ElementwiseProgram, shape: [Int], inputs: [UnsafePointer<Float>], inputStrides: [[Int]]
    ) -> Double {
        let space = ElementSpace(shape: shape, memory: inputs.map { UnsafeMutablePointer(mutating: $0) }, strides: inputStrides)
        guard space.count > 0 else { return 0 }
        let plan = ElementwisePlan(program, space, store: false)
        let grain = ElementwisePlan.largestGrain
        let pieces = (space.count + grain - 1) / grain
        var total = 0.0
        Workspace.withTemporary(Double.self, pieces) { partial in
            ThreadPool.run(pieces) { piece in
                let first = piece * grain
                partial[piece] = ElementwiseRun(plan, space)?.run(first, min(grain, space.count - first)) ?? 0
            }
            total = (0..<pieces).reduce(0) { $0 + partial[$1] }
        }
        return total
    }
}

/// The iteration space with neighbouring dimensions merged wherever every operand allows it; the innermost dimension last.
final class ElementSpace {
    private(set) var shape: [Int] = []
    private(set) var strides: [[Int]]
    let memory: [UnsafeMutablePointer<Float>]
    let count: Int

    init(shape: [Int], memory: [UnsafeMutablePointer<Float>], strides: [[Int]]) {
        self.memory = memory
        count = shape.reduce(1, *)
        self.strides = Array(repeating: [], count: memory.count)
        for d in shape.indices where shape[d] != 1 {
            if let last = self.shape.last, strides.indices.allSatisfy({ self.strides[$0].last == strides[$0][d] * shape[d] }) {
                self.shape[self.shape.count - 1] = last * shape[d]
                for i in strides.indices { self.strides[i][self.strides[i].count - 1] = strides[i][d] }
            } else {
                self.shape.append(shape[d])
                for i in strides.indices { self.strides[i].append(strides[i][d]) }
            }
        }
        if self.shape.isEmpty {
            self.shape = [1]
            // One element: the stride is of no matter, and contiguous is the fastest.
            for i in strides.indices { self.strides[i] = [1] }
        }
    }

    var inner: Int { shape[shape.count - 1] }

    func innerStride(_ operand: Int) -> Int { strides[operand][shape.count - 1] }

    /// First byte of an operand and the one behind its last.
    func range(_ operand: Int) -> (Int, Int) {
        var low = Int(bitPattern: memory[operand]), high = low + 4
        for d in shape.indices {
            let reach = (shape[d] - 1) * strides[operand][d] * 4
            if reach < 0 { low += reach } else { high += reach }
        }
        return (low, high)
    }

    func overlap(_ a: Int, _ b: Int) -> Bool {
        let (lowA, highA) = range(a), (lowB, highB) = range(b)
        return lowA < highB && lowB < highA
    }
}

/// Where each register lives. Slots: inputs, results, constants (as registers), then nothing else.
final class ElementwisePlan {
    static let largestGrain = 16384

    let program: ElementwiseProgram
    let code: [trellis_instruction]
    /// For each output: its register; whether the instruction that makes it writes straight into memory.
    let outputs: [(register: Int, direct: Bool)]
    /// Tile number of each register that needs one, else -1.
    let tileOf: [Int]
    let tiles: Int
    /// Elements of a tile.
    let tile: Int
    /// Rows of the innermost dimension are run one by one; else several short rows make up a tile, gathered.
    let byRows: Bool
    let grain: Int
    let stores: Bool

    init(_ program: ElementwiseProgram, _ space: ElementSpace, store: Bool) {
        precondition(program.isValid, "element-wise program reads a register before it is written")
        self.program = program
        stores = store
        let inputs = program.inputs, results = inputs + program.code.count
        let byRows = space.inner >= 64 || space.shape.count == 1
        self.byRows = byRows
        func isDirect(_ operand: Int) -> Bool { byRows && space.innerStride(operand) == 1 }
        outputs = ElementwisePlan.place(program, space, store: store, isDirect: isDirect)

        var tileOf = [Int](repeating: -1, count: results + program.constants.count)
        var next = 0
        for i in 0..<inputs where !(isDirect(i) || (byRows && space.innerStride(i) == 0)) {
            tileOf[i] = next
            next += 1
        }
        next = ElementwisePlan.assignTiles(program, outputs, &tileOf, next)
        self.tileOf = tileOf
        tiles = next
        code = program.code.enumerated().map { i, instruction in
            trellis_instruction(
                opcode: Int32(instruction.opcode.rawValue), destination: Int32(inputs + i), a: Int32(instruction.a),
                b: Int32(instruction.opcode.arity > 1 ? instruction.b : instruction.a),
                c: Int32(instruction.opcode.arity > 2 ? instruction.c : instruction.a))
        }
        // 32 KB of tiles at most as long as there are up to 16 of them; one instruction in place needs no tile.
        tile = next == 0 ? ElementwisePlan.largestGrain : (next <= 6 ? 1024 : 512)
        grain = program.code.count > 4 || program.code.contains { $0.opcode.isCostly } ? 4096 : ElementwisePlan.largestGrain
    }

    private static func place(
        _ program: ElementwiseProgram, _ space: ElementSpace, store: Bool, isDirect: (Int) -> Bool
    ) -> [(register: Int, direct: Bool)] {
        var taken = Set<Int>()
        return program.outputs.enumerated().map { index, register in
            let made = register - program.inputs
            guard store, made >= 0, made < program.code.count, isDirect(program.inputs + index), taken.insert(register).inserted
            else { return (register, false) }
            // A later instruction must still find the input that this output may be the same memory as.
            for later in program.code[(made + 1)...] {
                for input in 0..<program.inputs where later.reads(input) && space.overlap(input, program.inputs + index) {
                    return (register, false)
                }
            }
            for (other, later) in program.outputs.enumerated() where later < program.inputs && other != index {
                if space.overlap(later, program.inputs + index) { return (register, false) }
            }
            return (register, true)
        }
    }

    /// Gives each result that is not written straight to memory a tile, used again after the result's last use.
    private static func assignTiles(
        _ program: ElementwiseProgram, _ outputs: [(register: Int, direct: Bool)], _ tileOf: inout [Int], _ first: Int
    ) -> Int {
        var next = first
        var free: [Int] = []
        for i in program.code.indices {
            let register = program.inputs + i
            if !outputs.contains(where: { $0.register == register && $0.direct }) {
                if let tile = free.popLast() {
                    tileOf[register] = tile
                } else {
                    tileOf[register] = next
                    next += 1
                }
            }
            for earlier in program.inputs..<register where tileOf[earlier] >= 0 && program.code[i].reads(earlier) {
                let later = program.code[(i + 1)...].contains { $0.reads(earlier) } || program.outputs.contains(earlier)
                if !later { free.append(tileOf[earlier]) }
            }
        }
        return next
    }
}

extension ElementwiseProgram.Opcode {
    /// Takes long enough for a thread to be worth a smaller piece.
    var isCostly: Bool {
        switch self {
        case .pow, .exp, .log, .sigmoid, .tanh, .sin, .cos, .erf: true
        default: false
        }
    }
}
