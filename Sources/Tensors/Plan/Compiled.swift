/// A function of tensors that is recorded at its first call with given shapes and from then on runs as a plan.
///
/// What happens inside (derivatives, gradients that `backward` leaves at parameters, running statistics, an optimiser's step at the end) happens
/// at every call. What the function reads besides tensors is fixed when it is recorded.
public final class Compiled {
    private let body: ([Tensor]) throws -> [Tensor]
    private var plans: [Key: Plan] = [:]

    private struct Key: Hashable {
        let shapes: [[Int]]
        let dtypes: [DType]
        let mode: Int
        let optimises: Bool
        let context: Int
    }

    /// Counts switches between training and evaluation: plans made before a switch are not used after it.
    nonisolated(unsafe) public static var modeGeneration = 0

    public init(_ body: @escaping ([Tensor]) throws -> [Tensor]) { self.body = body }

    /// - Parameter context: tells plans apart that differ in what the function reads besides tensors.
    public func callAsFunction(_ arguments: [Tensor], context: Int = 0) throws -> [Tensor] {
        try plan(for: arguments, context: context).run(arguments)
    }

    /// The plan for arguments of these shapes, made when there is none yet.
    public func plan(for arguments: [Tensor], context: Int = 0) throws -> Plan {
        let key = Key(
            shapes: arguments.map(\.shape), dtypes: arguments.map(\.dtype), mode: Compiled.modeGeneration, optimises: Plan.optimises, context: context)
        if let plan = plans[key] { return plan }
        // Plans made before a switch between training and evaluation would never be met again.
        plans = plans.filter { $0.key.mode == key.mode }
        let recording = Recording()
        defer { recording.dismantle() }
        let promises = arguments.map { recording.input($0.shape, $0.dtype) }
        let outputs = try recording.record { try body(promises) }
        let plan = try Plan(recording, inputs: promises, outputs: outputs)
        plans[key] = plan
        return plan
    }

    public var planCount: Int { plans.count }
}
