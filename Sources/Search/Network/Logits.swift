import Networks
import Tensors

/// The logits of a space's decisions: tensors that an optimiser moves, and which part of them belongs to each decision.
public struct Logits {
    /// What an optimiser moves, as `Supernet.architecture` names it.
    public let leaves: [Module.Named]
    /// The same, as it stands among a supernet's parameters.
    let parameters: [Module.Named]
    private let part: (Decision) throws -> Tensor

    /// - Parameter part: the logits of a decision, of its shape, computed from the leaves with a history.
    public init(_ leaves: [Module.Named], part: @escaping (Decision) throws -> Tensor) {
        (self.leaves, self.part) = (leaves, part)
        parameters = leaves
    }

    /// A leaf for each decision, N(0, deviation²).
    init(of decisions: DecisionList, seed: UInt64, deviation: Float = 1e-3) throws {
        let state = RandomState(seed: seed &+ 0x9e37_79b9)
        leaves = try decisions.decisions.map { decision in
            (decision.name, try Tensor.random(.normal(mean: 0, deviation: deviation), decision.shape, from: state).requireGrad())
        }
        parameters = leaves.map { ("logits." + $0.name, $0.tensor) }
        let byName = Dictionary(uniqueKeysWithValues: leaves.map { ($0.name, $0.tensor) })
        part = { decision in
            guard let leaf = byName[decision.name] else { throw SpaceError.unknown("decision", decision.name, known: byName.keys.sorted(), at: "logits") }
            return leaf
        }
    }

    func of(_ decision: Decision) throws -> Tensor { try part(decision) }
}
