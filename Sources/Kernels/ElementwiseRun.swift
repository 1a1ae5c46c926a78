import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// One thread's run of a plan over a stretch of the iteration space.
struct ElementwiseRun {
    private let plan: ElementwisePlan
    private let space: ElementSpace
    private let inputs: Int
    /// Slots, then the vectors of scalars (one per register), then the tiles.
    private let slots: UnsafeMutablePointer<trellis_slot>
    private let scalars: UnsafeMutablePointer<Float>
    private let tiles: UnsafeMutablePointer<Float>
    private static let scalarWidth = 16

    /// nil when there is no scratch memory.
    init?(_ plan: ElementwisePlan, _ space: ElementSpace) {
        self.plan = plan
        self.space = space
        inputs = plan.program.inputs
        let registers = plan.tileOf.count
        let slotFloats = (registers * MemoryLayout<trellis_slot>.stride / 4 + 15) / 16 * 16
        guard let memory = Workspace.floats(slotFloats + registers * Self.scalarWidth + plan.tiles * plan.tile) else { return nil }
        slots = UnsafeMutableRawPointer(memory).bindMemory(to: trellis_slot.self, capacity: registers)
        scalars = memory + slotFloats
        tiles = scalars + registers * Self.scalarWidth
        for register in 0..<registers {
            let tile = plan.tileOf[register]
            slots[register] = tile >= 0
                ? trellis_slot(memory: tiles + tile * plan.tile, step: -1)
                : trellis_slot(memory: scalars + register * Self.scalarWidth, step: 0)
        }
        let first = inputs + plan.program.code.count
        for (i, value) in plan.program.constants.enumerated() { setScalar(first + i, value) }
    }

    private func setScalar(_ register: Int, _ value: Float) {
        (scalars + register * Self.scalarWidth).update(repeating: value, count: Self.scalarWidth)
    }

    /// Elements `first` ..< `first + count` in row-major order. Returns the sum of the first output where it is not stored.
    @discardableResult
    func run(_ first: Int, _ count: Int) -> Double {
        plan.byRows ? runRows(first, count) : runGathered(first, count)
    }

    // MARK: Long rows

    private func runRows(_ first: Int, _ count: Int) -> Double {
        var done = 0
        var total = 0.0
        let operands = space.memory.count
        return withUnsafeTemporaryAllocation(of: Int.self, capacity: operands) { offsets in
            guard let offsets = offsets.baseAddress else { return 0 }
            while done < count {
                let row = (first + done) / space.inner, column = (first + done) % space.inner
                let end = min(space.inner - column, count - done)
                rowOffsets(row, offsets)
                for i in 0..<inputs where plan.tileOf[i] < 0 && space.innerStride(i) == 0 {
                    setScalar(i, space.memory[i][offsets[i]])
                }
                var within = 0
                while within < end {
                    let n = min(plan.tile, end - within)
                    total += runTile(offsets, column + within, n)
                    within += n
                }
                done += end
            }
            return total
        }
    }

    private func rowOffsets(_ row: Int, _ offsets: UnsafeMutablePointer<Int>) {
        for operand in 0..<space.memory.count { offsets[operand] = 0 }
        var rest = row
        for d in stride(from: space.shape.count - 2, through: 0, by: -1) {
            let index = rest % space.shape[d]
            rest /= space.shape[d]
            for operand in 0..<space.memory.count { offsets[operand] += index * space.strides[operand][d] }
        }
    }

    private func runTile(_ offsets: UnsafeMutablePointer<Int>, _ column: Int, _ n: Int) -> Double {
        for i in 0..<inputs {
            let stride = space.innerStride(i)
            let source = space.memory[i] + offsets[i] + column * stride
            if plan.tileOf[i] >= 0 {
                choose(KernelsV4.gatherStrided, KernelsV3.gatherStrided, KernelsV2.gatherStrided)(
                    slots[i].memory, source, stride, n)
            } else if stride != 0 {
                slots[i] = trellis_slot(memory: source, step: -1)
            }
        }
        for (index, output) in plan.outputs.enumerated() where output.direct {
            let memory = space.memory[inputs + index] + offsets[inputs + index] + column
            slots[output.register] = trellis_slot(memory: memory, step: -1)
        }
        compute(n)
        guard plan.stores else { return sum(n) }
        for (index, output) in plan.outputs.enumerated() where !output.direct {
            let stride = space.innerStride(inputs + index)
            let target = space.memory[inputs + index] + offsets[inputs + index] + column * stride
            put(slots[output.register], 0, target, stride, n)
        }
        return 0
    }

    // MARK: Short rows: a tile of several

    private func runGathered(_ first: Int, _ count: Int) -> Double {
        var done = 0
        var total = 0.0
        let operands = space.memory.count
        return withUnsafeTemporaryAllocation(of: Int.self, capacity: operands) { offsets in
            guard let offsets = offsets.baseAddress else { return 0 }
            while done < count {
                let n = min(plan.tile, count - done)
                eachRow(first + done, n, offsets) { at, column, length in
                    for i in 0..<inputs {
                        let stride = space.innerStride(i)
                        choose(KernelsV4.gatherStrided, KernelsV3.gatherStrided, KernelsV2.gatherStrided)(
                            slots[i].memory + at, space.memory[i] + offsets[i] + column * stride, stride, length)
                    }
                }
                compute(n)
                if plan.stores {
                    eachRow(first + done, n, offsets) { at, column, length in
                        for (index, output) in plan.outputs.enumerated() {
                            let stride = space.innerStride(inputs + index)
                            let target = space.memory[inputs + index] + offsets[inputs + index] + column * stride
                            put(slots[output.register], at, target, stride, length)
                        }
                    }
                } else {
                    total += sum(n)
                }
                done += n
            }
            return total
        }
    }

    /// Calls `body` with (place in the tile, first column, length) of each row's part of the stretch.
    private func eachRow(_ first: Int, _ count: Int, _ offsets: UnsafeMutablePointer<Int>, _ body: (Int, Int, Int) -> Void) {
        var done = 0
        while done < count {
            let column = (first + done) % space.inner
            let length = min(space.inner - column, count - done)
            rowOffsets((first + done) / space.inner, offsets)
            body(done, column, length)
            done += length
        }
    }

    // MARK: Both

    private func compute(_ n: Int) {
        plan.code.withUnsafeBufferPointer { code in
            guard let start = code.baseAddress else { return }
            choose(KernelsV4.runProgram, KernelsV3.runProgram, KernelsV2.runProgram)(start, code.count, slots, n)
        }
    }

    private func put(_ slot: trellis_slot, _ at: Int, _ target: UnsafeMutablePointer<Float>, _ stride: Int, _ n: Int) {
        if slot.step == 0 {
            for i in 0..<n { target[i * stride] = slot.memory[0] }
        } else {
            choose(KernelsV4.scatterStrided, KernelsV3.scatterStrided, KernelsV2.scatterStrided)(
                target, stride, slot.memory + at, n)
        }
    }

    private func sum(_ n: Int) -> Double {
        let slot = slots[plan.outputs[0].register]
        guard slot.step != 0 else { return Double(slot.memory[0]) * Double(n) }
        return choose(KernelsV4.sumTile, KernelsV3.sumTile, KernelsV2.sumTile)(slot.memory, n)
    }
}
