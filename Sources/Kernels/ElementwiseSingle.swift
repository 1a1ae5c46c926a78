import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

extension Elementwise {
    /// One operand of `single`: contiguous elements, or one number for all.
    public enum Operand {
        case elements(UnsafePointer<Float>)
        case number(Float)
    }

    /// One instruction over contiguous memory: what `run` does with a program of length one, without the preparations, which for a
    /// few numbers take longer than the arithmetic. The same bits as `run`.
    public static func single(
        _ opcode: ElementwiseProgram.Opcode, _ a: Operand, _ b: Operand = .number(0), into output: UnsafeMutablePointer<Float>, count: Int
    ) {
        let grain = opcode.isCostly ? 4096 : ElementwisePlan.largestGrain
        if count <= grain { return stretch(opcode, a, b, output, 0, count) }
        ThreadPool.run((count + grain - 1) / grain) { piece in
            let first = piece * grain
            stretch(opcode, a, b, output, first, min(grain, count - first))
        }
    }

    private static let width = 16

    private static func stretch(
        _ opcode: ElementwiseProgram.Opcode, _ a: Operand, _ b: Operand, _ output: UnsafeMutablePointer<Float>, _ first: Int, _ count: Int
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * width) { numbers in
            withUnsafeTemporaryAllocation(of: trellis_slot.self, capacity: 3) { slots in
                guard let numbers = numbers.baseAddress, let slots = slots.baseAddress else { return }
                slots[0] = slot(a, numbers, first)
                slots[1] = slot(b, numbers + width, first)
                slots[2] = trellis_slot(memory: output + first, step: -1)
                var instruction = trellis_instruction(opcode: Int32(opcode.rawValue), destination: 2, a: 0, b: opcode.arity > 1 ? 1 : 0, c: 0)
                choose(KernelsV4.runProgram, KernelsV3.runProgram, KernelsV2.runProgram)(&instruction, 1, slots, count)
            }
        }
    }

    @inline(__always)
    private static func slot(_ operand: Operand, _ numbers: UnsafeMutablePointer<Float>, _ first: Int) -> trellis_slot {
        switch operand {
        case .elements(let memory):
            return trellis_slot(memory: UnsafeMutablePointer(mutating: memory + first), step: -1)
        case .number(let value):
            numbers.update(repeating: value, count: width)
            return trellis_slot(memory: numbers, step: 0)
        }
    }
}
