import Networks
import Tensors

/// Σ_i weight_i · O_i(x): the options of a decision side by side (the mixed operation of DARTS, eq. 2; Auto-DeepLab, eq. 4). In a derived network what was chosen
/// of them, alone.
open class Mix: Module {
    public let decision: BuiltDecision
    /// Those that exist, but for "none".
    public let options: [(name: String, index: Int, module: Module)]

    /// - Parameter build: called once for each option that exists in this network but "none", with its name and position from 0.
    public init(_ decision: BuiltDecision, build: (String, Int) throws -> Module) throws {
        self.decision = decision
        let domain = decision.decision.domain
        let names = (0..<domain.optionCount).map(domain.label)
        options = try names.indices.compactMap { i in
            guard domain.canBeOn(i), decision.isOn(i) else { return nil }
            let literal = Literal(decision: decision.decision.name, option: i)
            return (Mix.partName(names[i], i), i, try decision.construction.within(literal) { try build(names[i], i) })
        }
    }

    /// Names of modules have no dots.
    private static func partName(_ option: String, _ i: Int) -> String { option.isEmpty || option.contains(".") ? String(i + 1) : option }

    open override var kind: String { "mix" }
    open override var details: String { decision.decision.name }
    open override var children: [(name: String, module: Module)] { options.map { ($0.name, $0.module) } }

    open override func forward(_ x: Tensor) throws -> Tensor { try sum(like: x) { try $0(x) } }

    /// - Parameters:
    ///   - x: what the result has the shape of where no option exists.
    ///   - apply: calls an option's module.
    public func sum(like x: Tensor, _ apply: (Module) throws -> Tensor) throws -> Tensor {
        var total: Tensor?
        for (name, index, module) in options {
            guard let gate = try decision.gate(index) else { continue }
            let term = try gate.when { try located(name) { try apply(module) } }
            if let sum = total, sum.shape != term.shape {
                throw TensorError("mix", "option '\(name)' of decision '\(decision.decision.name)' gives \(term.shape), those before it \(sum.shape): all give one shape")
            }
            total = try total.map { try $0 + term } ?? term
        }
        return try total ?? Tensor.zeros(x.shape)
    }
}

extension BuiltDecision {
    /// Σ_i w_i · numbers_i: a searched size, by masks or numbers that belong to the options.
    public func expect(_ numbers: [Tensor]) throws -> Tensor {
        guard numbers.count == decision.optionCount else {
            throw TensorError("expect", "decision '\(decision.name)' has \(decision.optionCount) options, got \(numbers.count) tensors or numbers")
        }
        var total: Tensor?
        for (i, value) in numbers.enumerated() {
            guard let gate = try gate(i) else { continue }
            let term = try gate.weight.map { try value * $0.reshape([]) } ?? value
            total = try total.map { try $0 + term } ?? term
        }
        guard let total else { throw TensorError("expect", "no option of decision '\(decision.name)' is on") }
        CostMeasure.current?.note(total, reads: decision.name)
        return total
    }
}
