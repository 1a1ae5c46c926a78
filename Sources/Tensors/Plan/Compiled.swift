/// A function of tensors that is recorded at its first call with given shapes and from then on runs as a plan.
///
/// What happens inside (derivatives, gradients that `backward` leaves at parameters, running statistics, an optimiser's step at the end) happens
/// at every call. What the function reads besides tensors is fixed when it is recorded.
public final class Compiled {
    let body: ([Tensor]) throws -> [Tensor]
    private var plans: [Key: [Entry]] = [:]

    private struct Key: Hashable {
        let shapes: [[Int]]
        let dtypes: [DType]
        let optimises: Bool
        let recomputation: Recomputation
        let context: Int
    }

    /// A plan and what has to hold for it: the modes of the modules that it was recorded with.
    private final class Entry {
        let plan: Plan
        private let conditions: [() -> Bool]
        private var checked: Int

        init(_ plan: Plan, _ conditions: [() -> Bool]) {
            self.plan = plan
            self.conditions = conditions
            checked = Compiled.modeGeneration
        }

        func holds() -> Bool {
            if checked == Compiled.modeGeneration { return true }
            guard conditions.allSatisfy({ $0() }) else { return false }
            checked = Compiled.modeGeneration
            return true
        }
    }

    /// Counts switches between training and evaluation: only after one are a plan's conditions looked at again.
    nonisolated(unsafe) public static var modeGeneration = 0

    /// What plans compute again in a backward pass; plans made from then on follow it.
    public var recomputation = Recomputation.cheap

    /// Whether gradients have memory of their own; see `Plan`.
    public var ownsGradients = true

    public init(_ body: @escaping ([Tensor]) throws -> [Tensor]) { self.body = body }

    /// - Parameter context: tells plans apart that differ in what the function reads besides tensors.
    public func callAsFunction(_ arguments: [Tensor], context: Int = 0) throws -> [Tensor] {
        try plan(for: arguments, context: context).run(arguments)
    }

    /// The plan for arguments of these shapes, made when there is none yet.
    public func plan(for arguments: [Tensor], context: Int = 0) throws -> Plan {
        if let check = NumberCheck.current { try look(check, arguments) }
        let key = Key(shapes: arguments.map(\.shape), dtypes: arguments.map(\.dtype), optimises: Plan.optimises, recomputation: recomputation, context: context)
        if let entry = plans[key]?.first(where: { $0.holds() }) { return entry.plan }
        let recording = Recording()
        defer { recording.dismantle() }
        let promises = arguments.map { recording.input($0.shape, $0.dtype) }
        let outputs = try recording.record { try body(promises) }
        let plan = try Plan(recording, inputs: promises, outputs: outputs, recomputation: recomputation, ownsGradients: ownsGradients)
        plans[key, default: []].append(Entry(plan, recording.conditions))
        return plan
    }

    public var planCount: Int { plans.values.reduce(0) { $0 + $1.count } }
}
