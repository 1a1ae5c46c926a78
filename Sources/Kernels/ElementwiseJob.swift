/// An element-wise program with its sizes fixed, to run again and again on the same memory: what a run needs is worked out once for each set of addresses.
public final class ElementwiseJob {
    private let program: ElementwiseProgram
    private let shape: [Int]
    private let strides: [[Int]]
    private var ready: (space: ElementSpace, plan: ElementwisePlan)?

    /// - Parameter strides: of the inputs, then of the outputs; see `Elementwise.run`.
    public init(_ program: ElementwiseProgram, shape: [Int], strides: [[Int]]) {
        self.program = program
        self.shape = shape
        self.strides = strides
    }

    /// - Parameter memory: addresses of the inputs, then of the outputs.
    public func run(_ memory: UnsafePointer<UnsafeMutableRawPointer>) {
        let (space, plan) = prepare(memory)
        guard space.count > 0 else { return }
        let grain = plan.grain
        ThreadPool.run((space.count + grain - 1) / grain) { piece in
            let first = piece * grain
            ElementwiseRun(plan, space)?.run(first, min(grain, space.count - first))
        }
    }

    private func prepare(_ memory: UnsafePointer<UnsafeMutableRawPointer>) -> (space: ElementSpace, plan: ElementwisePlan) {
        if let ready, strides.indices.allSatisfy({ UnsafeMutableRawPointer(ready.space.memory[$0]) == memory[$0] }) { return ready }
        let space = ElementSpace(shape: shape, memory: strides.indices.map { memory[$0].assumingMemoryBound(to: Float.self) }, strides: strides)
        let fresh = (space, ElementwisePlan(program, space, store: true))
        ready = fresh
        return fresh
    }
}
