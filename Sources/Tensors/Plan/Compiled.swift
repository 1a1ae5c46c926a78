import CKernels

/// A function of tensors that is recorded at its first call with given shapes and from then on runs as a plan.
///
/// What happens inside (derivatives, gradients that `backward` leaves at parameters, writes in place, random numbers, an optimiser's step at the end) happens
/// at every call. Where something else that the recording read has changed (`Dependences`), the function is recorded anew.
public final class Compiled {
    private let body: ([Tensor]) throws -> [Tensor]
    private var plans: [Key: [Entry]] = [:]

    private struct Key: Hashable {
        let shapes: [[Int]]
        let dtypes: [DType]
        let optimises: Bool
        let recomputation: Recomputation
        let context: Int
    }

    /// A plan and what has to hold for it.
    private final class Entry {
        let plan: Plan
        var dependences: Dependences

        init(_ plan: Plan, _ dependences: Dependences) {
            self.plan = plan
            self.dependences = dependences
        }
    }

    /// Plans kept for arguments of the same shapes; beyond it the one made longest ago goes.
    private static let most = 8

    /// Told once when the function was recorded `often` times for arguments of the same shapes, and why the last time.
    public var onRecordedOften: ((_ recordings: Int, _ change: String) -> Void)? = Compiled.onRecordedOften
    /// What `onRecordedOften` is at first: for a host.
    nonisolated(unsafe) public static var onRecordedOften: ((_ recordings: Int, _ change: String) -> Void)?
    private static let often = 10
    private var recordings: [Key: Int] = [:]

    /// What plans compute again in a backward pass; plans made from then on follow it.
    public var recomputation = Recomputation.cheap

    /// Whether gradients have memory of their own; see `Plan`.
    public var ownsGradients = true

    /// Whether gradients of leaves that take part in nothing that a run computes are left off: 0 to whoever reads them, no gradient to an optimiser
    /// (`Tensor.isGradientOff`), and neither computed nor cleared. Else they are zeros as any others.
    public var leavesOff = false

    public init(_ body: @escaping ([Tensor]) throws -> [Tensor]) { self.body = body }

    /// The plan of the last call that kept what it wrote over.
    private var keeper: Plan?

    /// - Parameters:
    ///   - context: tells plans apart that differ in what the function reads besides tensors.
    ///   - keepingWritten: so that `takeBack` can undo what the call writes into stored tensors: a few running statistics, not parameters.
    public func callAsFunction(_ arguments: [Tensor], context: Int = 0, keepingWritten: Bool = false) throws -> [Tensor] {
        let plan = try plan(for: arguments, context: context)
        if keepingWritten { keeper = plan }
        return try plan.run(arguments, keepingWritten: keepingWritten)
    }

    /// Puts stored tensors back to what they held before the last call that kept it.
    public func takeBack() throws { try keeper?.takeBack() }

    /// The plan for arguments of these shapes, made when there is none yet.
    public func plan(for arguments: [Tensor], context: Int = 0) throws -> Plan {
        if let check = NumberCheck.current { return try newPlan(arguments, lookedAtBy: check).plan }
        let key = Key(shapes: arguments.map(\.shape), dtypes: arguments.map(\.dtype), optimises: Plan.optimises, recomputation: recomputation, context: context)
        var change: String?
        for entry in plans[key] ?? [] {
            change = entry.dependences.change()
            if change == nil { return entry.plan }
        }
        let (plan, dependences) = try newPlan(arguments)
        // What a large recording took lies free in malloc's hands: it is given back before the plan's own memory comes on top of it.
        if plan.stepCount > Compiled.large { trellis_memory_trim() }
        note(plan, dependences, key, change)
        return plan
    }

    private func newPlan(_ arguments: [Tensor], lookedAtBy check: NumberCheck? = nil) throws -> (plan: Plan, dependences: Dependences) {
        let recording = Recording()
        defer { recording.dismantle() }
        // Operations that a plan alone wants join the modules that are to be told apart.
        recording.isForReaders = check != nil
        let promises = arguments.map { recording.input($0.shape, $0.dtype) }
        let outputs = try recording.record { try body(promises) }
        if let check { try recording.look(check, inputs: promises, outputs: outputs, arguments) }
        let plan = try Plan(recording, inputs: promises, outputs: outputs, recomputation: recomputation, ownsGradients: ownsGradients, leavesOff: leavesOff)
        return (plan, recording.dependences)
    }

    private func note(_ plan: Plan, _ dependences: Dependences, _ key: Key, _ change: String?) {
        recordings[key, default: 0] += 1
        if let change, recordings[key] == Compiled.often { onRecordedOften?(Compiled.often, change) }
        var entries = (plans[key] ?? []).filter { $0.dependences.onlyOnce == nil }
        if entries.count >= Compiled.most { entries.removeFirst() }
        // One for a single run is kept until the next, for those who ask what ran.
        plans[key] = entries + [Entry(plan, dependences)]
    }

    /// Kernels of a plan of which the recording took tens of megabytes.
    private static let large = 4096

    /// How often the function was recorded.
    public var recordingCount: Int { recordings.values.reduce(0, +) }

    public var planCount: Int { plans.values.reduce(0) { $0 + $1.count } }
}
