import Networks
import Tensors

/// What each part of a supernet costs, and which gates have to be open for it: found by writing the computation down, without computing anything.
final class CostMeasure {
    /// The measurement under way.
    nonisolated(unsafe) private(set) static var current: CostMeasure?

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
        try Recording.atOnce {
            let measure = CostMeasure()
            defer { measure.recording.dismantle() }
            current = measure
            defer { current = nil }
            let input = measure.recording.input(input, .float32)
            let output = try measure.recording.record { try GradientMode.disabled { try Module.inMode(training: false) { try body(input) } } }
            return try measure.parts(kind, output, parameters)
        }
    }

    /// Writes down what a gate opens.
    func region(_ gate: Gate, _ body: () throws -> Tensor) throws -> Tensor {
        let promise = promises[gate.condition] ?? recording.input([], .float32)
        promises[gate.condition] = promise
        conditions[ObjectIdentifier(promise)] = gate.condition
        return try Tensor.when(promise, body)
    }

    private func parts(_ kind: CostKind, _ output: Tensor, _ parameters: [Module.Named]) throws -> [Part] {
        var costs: [Set<[Gate.Condition]>: Double] = [:]
        func places(_ regions: [[Tensor]]) -> Set<[Gate.Condition]> {
            Set(regions.map { $0.compactMap { conditions[ObjectIdentifier($0)] } })
        }
        if let ofOperation = kind.ofOperation {
            try recording.eachNeeded(for: [output]) { operation, inputs, result, regions in
                let cost = try ofOperation(operation, inputs.map(\.shape), result.shape)
                if cost != 0 { costs[places(regions), default: 0] += cost }
            }
        } else {
            let counted = Set(parameters.map { ObjectIdentifier($0.tensor) })
            var found: [ObjectIdentifier: (count: Int, places: Set<[Gate.Condition]>)] = [:]
            recording.eachNeeded(for: [output]) { _, inputs, _, regions in
                for input in inputs where counted.contains(ObjectIdentifier(input)) {
                    found[ObjectIdentifier(input), default: (input.count, [])].places.formUnion(regions.isEmpty ? [[]] : places(regions))
                }
            }
            for (count, places) in found.values { costs[places.contains([]) ? [] : places, default: 0] += Double(count) }
        }
        return costs.map { Part(places: $0.key, cost: $0.value) }
    }
}
