import Networks
import Tensors

extension DecisionNetwork {
    /// A limit of a cost for decoding: what each option adds where it is on, read off the supernet.
    ///
    /// Costs have to be sums over options: a part that several options need (a tensor shared between them) has no one option to which it belongs.
    /// - Throws: for a part that needs options of which none is inside of the other's, and without an input's shape.
    public func budget(_ kind: CostKind, limit: Double, input: [Int]?) throws -> Budget {
        guard let input = input ?? (kind.needsInput ? nil : [1, 3, 64, 64]) else {
            throw SpaceError(.shape, at: "budget", expected: "the shape of the input", got: "none", remedy: "{cost = ..., limit = ..., input = {1, 3, height, width}}")
        }
        var costs: [Literal: Double] = [:]
        var always = 0.0
        for part in try CostMeasure.parts(kind, input: input, parameters: weights(), { try self($0) }) {
            guard !part.places.isEmpty, !part.places.contains([]) else { always += part.cost; continue }
            // Where a state is reached, an arrow leads into it: what it adds belongs to none of them alone.
            guard part.places.count == 1, let place = part.places.first, case .option(let name, let i)? = place.last, isChain(place) else {
                throw SpaceError(
                    .misfit, at: "budget", expected: "a cost that is a sum over options", got: "a part of the network that several options need", remedy: "decode{count = ...} and space:cost find what costs less")
            }
            costs[Literal(decision: name, option: i), default: 0] += part.cost
        }
        let smallest = try always + decisions.smallestCost { costs[$0] ?? 0 }
        guard smallest <= limit else {
            throw SpaceError(
                .budget, at: "budget", expected: "at least \(numberText(smallest)), the smallest \(kind.name) of an architecture", got: numberText(limit),
                remedy: "raise the limit, or add cheaper options to the space")
        }
        return Budget(limit: limit, always: always) { costs[$0] ?? 0 }
    }

    /// Whether each gate is inside of the one before by nesting, so that the innermost says all.
    private func isChain(_ place: [Gate.Condition]) -> Bool {
        zip(place, place.dropFirst()).allSatisfy { outer, inner in
            guard case .option(let name, let i) = outer else { return false }
            return decisions[inner.decision]?.parent == Literal(decision: name, option: i)
        }
    }
}
