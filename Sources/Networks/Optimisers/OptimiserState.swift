import Tensors

/// What an optimiser has beside its settings, by the names of its parameters.
public struct OptimiserState {
    /// nil, as are the parameters: stored by an earlier release, which did not say.
    public var rule: Optimiser.Rule?
    /// All names in order, also of parameters that have no moments yet.
    public var parameters: [String]?
    /// Moments: `NAME.first`, `NAME.second`.
    public var tensors: [Module.Named] = []
    /// Steps that each parameter has seen.
    public var counts: [String: Int] = [:]
    /// Steps done.
    public var steps: Int

    public init(rule: Optimiser.Rule?, parameters: [String]?, tensors: [Module.Named] = [], counts: [String: Int] = [:], steps: Int) {
        self.rule = rule
        self.parameters = parameters
        self.tensors = tensors
        self.counts = counts
        self.steps = steps
    }

    /// Steps that a state can tell of: all whole numbers up to here are doubles too, and counting goes on without overflow.
    private static let mostSteps = 1 << 53

    var named: [String: Tensor] { Dictionary(tensors.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first }) }

    /// - Throws: `TensorError` unless this is a state of such an optimiser: the same rule, the same names, moments of the parameters' shapes.
    func check(_ optimiser: Optimiser) throws {
        func fail(_ problem: String) -> TensorError { TensorError("optim.\(optimiser.rule)", "the state does not fit: \(problem)") }
        if let rule, rule != optimiser.rule { throw fail("it is of the rule \(rule), not \(optimiser.rule)") }
        let possible = 0...OptimiserState.mostSteps
        guard possible.contains(steps), counts.values.allSatisfy(possible.contains) else {
            throw fail("its counts of steps are not 0 to \(OptimiserState.mostSteps)")
        }
        if let more = counts.filter({ $0.value > steps }).keys.min() { throw fail("\(more) has seen \(counts[more, default: 0]) steps of \(steps)") }
        let own = optimiser.parameters.map(\.name)
        let known = Set(own)
        let used = Set(counts.keys).union(tensors.map { OptimiserState.parameter($0.name) })
        let unknown = used.union(parameters ?? []).subtracting(known)
        let missing = parameters.map { stored in own.filter { !Set(stored).contains($0) } } ?? []
        guard unknown.isEmpty, missing.isEmpty else {
            throw fail("parameters \(LoadReport.some(missing)) missing, \(LoadReport.some(unknown.sorted())) not known; is it of another network?")
        }
        let moments = named
        for (name, tensor) in optimiser.parameters {
            let stored = [".first", ".second"].map { (name: name + $0, moment: moments[name + $0]) }
            for (name, moment) in stored {
                if let moment, moment.shape != tensor.shape { throw fail("\(name) has shape \(moment.shape) in the state, \(tensor.shape) here") }
                if let moment, let problem = try OptimiserState.problem(moment, isSecond: name.hasSuffix(".second")) { throw fail("\(name) \(problem)") }
            }
            if counts[name, default: 0] == 0, let early = stored.first(where: { $0.moment != nil }) {
                throw fail("\(early.name) is there, but its counts say that \(name) has seen no step")
            }
            // Without a rule the moments tell: Adam has two of each parameter that it has changed, SGD one at most.
            let isAdam = optimiser.rule != .sgd
            if isAdam, counts[name, default: 0] > 0, let lost = stored.first(where: { $0.moment == nil }) { throw fail("\(lost.name) is missing; is it of another rule?") }
            if !isAdam, let extra = stored.last, extra.moment != nil { throw fail("\(extra.name) is a moment that sgd does not have; is it of another rule?") }
        }
    }

    /// What no optimiser leaves in a moment; nil when all is well. Infinities may come from large gradients.
    private static func problem(_ moment: Tensor, isSecond: Bool) throws -> String? {
        guard moment.dtype == .float32 else { return "is \(moment.dtype), float32 expected" }
        if let numbers = try moment.nonFinite(), numbers.nan > 0 { return "holds \(numbers)" }
        if isSecond, let least = try moment.floats().min(), least < 0 { return "holds \(least), 0 or more expected of a mean of squares" }
        return nil
    }

    /// The parameter that a moment belongs to.
    private static func parameter(_ moment: String) -> String {
        for ending in [".first", ".second"] where moment.hasSuffix(ending) { return String(moment.dropLast(ending.count)) }
        return moment
    }
}
