import Networks
import Tensors

/// What each part of a network costs or is, and which gates have to be open for it: found by writing the computation down, without computing anything.
final class CostMeasure {
    /// The measurement under way.
    static var current: CostMeasure? { Surroundings.now.measure }

    /// A part: what it costs, and the gates of each of the places that need it, the outermost first; no place: always.
    struct Part {
        var places: Set<[Gate.Condition]>
        var cost: Double
    }

    private var conditions: [ObjectIdentifier: Gate.Condition] = [:]
    private var promises: [Gate.Condition: Tensor] = [:]
    private let recording = Recording()

    private init() {}

    /// Measures a network for an input.
    /// - Parameters:
    ///   - parameters: what is counted by the kind that counts parameters.
    ///   - body: what is computed.
    static func parts(_ kind: CostKind, input: [Int], parameters: [Module.Named], _ body: (Tensor) throws -> Tensor) throws -> [Part] {
        try measuring(input, body) { measure, _, output in try measure.parts(kind, output, parameters) }
    }

    private static func measuring<T>(
        _ input: [Int], _ body: (Tensor) throws -> Tensor, _ read: (_ measure: CostMeasure, _ input: Tensor, _ output: Tensor) throws -> T
    ) throws -> T {
        try Recording.atOnce {
            let measure = CostMeasure()
            defer { measure.recording.dismantle() }
            let input = measure.recording.input(input, .float32)
            return try Surroundings.with(\.measure, measure) {
                let output = try measure.recording.record { try GradientMode.disabled { try Module.inMode(training: false) { try body(input) } } }
                return try read(measure, input, output)
            }
        }
    }

    /// An operation of a computation.
    struct Step {
        /// The path of the module that it was written in.
        var scope: String
        /// Positions of the steps that it reads; the network's input is -1.
        var inputs: [Int]
        /// The gates of each of the places that need it; none: always.
        var places: Set<[Gate.Condition]>
        /// Decisions whose numbers it reads without a gate (`expect`).
        var reads: Set<String>
    }

    private var readers: [ObjectIdentifier: String] = [:]

    /// Notes that a value was made by the numbers of a decision, where no gate says so.
    func note(_ value: Tensor, reads decision: String) { readers[ObjectIdentifier(value)] = decision }

    /// The operations that the result of a computation needs, in their order, and which of them gives it.
    static func steps(input: [Int], _ body: (Tensor) throws -> Tensor) throws -> (steps: [Step], output: Int) {
        try measuring(input, body) { measure, input, output in
            var positions = [ObjectIdentifier(input): -1]
            var steps: [Step] = []
            measure.recording.eachNeeded(for: [output]) { _, inputs, result, regions, scope in
                positions[ObjectIdentifier(result)] = steps.count
                steps.append(
                    Step(
                        scope: scope, inputs: inputs.compactMap { positions[ObjectIdentifier($0)] }, places: measure.places(regions),
                        reads: Set(([result] + inputs).compactMap { measure.readers[ObjectIdentifier($0)] })))
            }
            return (steps, positions[ObjectIdentifier(output)] ?? -1)
        }
    }

    /// Writes down what a gate opens.
    func region(_ gate: Gate, _ body: () throws -> Tensor) throws -> Tensor {
        let promise = promises[gate.condition] ?? recording.input([], .float32)
        promises[gate.condition] = promise
        conditions[ObjectIdentifier(promise)] = gate.condition
        return try Tensor.when(promise, body)
    }

    private func places(_ regions: [[Tensor]]) -> Set<[Gate.Condition]> { Set(regions.map { $0.compactMap { conditions[ObjectIdentifier($0)] } }) }

    private func parts(_ kind: CostKind, _ output: Tensor, _ parameters: [Module.Named]) throws -> [Part] {
        var costs: [Set<[Gate.Condition]>: Double] = [:]
        if let ofOperation = kind.ofOperation {
            for visit in visits(output) {
                let cost = try ofOperation(visit.operation, visit.inputs.map(\.shape), visit.result.shape)
                if cost != 0 { costs[visit.places, default: 0] += cost }
            }
        } else {
            // A layer that stands outside of all regions is there, whoever reads it.
            let counted = Set(parameters.map { ObjectIdentifier($0.tensor) })
            var found: [ObjectIdentifier: (count: Int, places: Set<[Gate.Condition]>)] = [:]
            recording.eachNeeded(for: [output]) { _, inputs, _, regions, _ in
                for input in inputs where counted.contains(ObjectIdentifier(input)) {
                    found[ObjectIdentifier(input), default: (input.count, [])].places.formUnion(regions.isEmpty ? [[]] : places(regions))
                }
            }
            for (count, places) in found.values { costs[places.contains([]) ? [] : places, default: 0] += Double(count) }
        }
        return costs.map { Part(places: $0.key, cost: $0.value) }
    }

    /// An operation that the result needs, and where it is computed.
    private struct Visit {
        let operation: Operation
        let inputs: [Tensor]
        let result: Tensor
        var places: Set<[Gate.Condition]>
    }

    /// The operations that the output needs, in order. What stands outside of all regions and is read by regions alone is needed where one of those is open only:
    /// the network of an architecture without them does not compute it. (What stands in a region counts as that region does, whoever reads it.)
    private func visits(_ output: Tensor) -> [Visit] {
        var visits: [Visit] = []
        recording.eachNeeded(for: [output]) { operation, inputs, result, regions, _ in
            visits.append(Visit(operation: operation, inputs: inputs, result: result, places: places(regions)))
        }
        var readAt: [ObjectIdentifier: Set<[Gate.Condition]>] = [ObjectIdentifier(output): [[]]]
        for i in visits.indices.reversed() {
            if visits[i].places.isEmpty, let places = readAt[ObjectIdentifier(visits[i].result)], !places.contains([]) { visits[i].places = places }
            let places = visits[i].places.isEmpty || visits[i].places.contains([]) ? [[]] : visits[i].places
            for input in visits[i].inputs { readAt[ObjectIdentifier(input), default: []].formUnion(places) }
        }
        return visits
    }
}
