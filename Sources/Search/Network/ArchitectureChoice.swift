import Networks
import Tensors

/// The architecture that a supernet is at, as weights of its options in stored memory: one recording serves all architectures.
final class ArchitectureChoice {
    private(set) var assignment: Assignment
    /// Statistics of the images of `recalibrate`.
    let kept = KeptStatistics()
    var isRecalibrated = false
    /// Which statistics the batch norms go by.
    private(set) var statistics = BatchNorm.Use.own(alone: true)
    /// Whether an option is chosen twice somewhere, so that weights are multiplied by.
    private var hasTwice = false
    private let relaxations: [String: Chosen]

    init(_ decisions: DecisionList) throws {
        assignment = Assignment()
        relaxations = try Dictionary(uniqueKeysWithValues: decisions.decisions.map { ($0.name, try Chosen($0)) })
    }

    func relaxation(of decision: Decision) -> Relaxation? { relaxations[decision.name] }

    /// - Precondition: the assignment is one of the decisions.
    func set(_ assignment: Assignment) throws {
        for (name, relaxation) in relaxations { try relaxation.set(assignment[name]) }
        hasTwice = relaxations.values.contains(where: \.hasTwice)
        for relaxation in relaxations.values { relaxation.isMultiplied = hasTwice }
        self.assignment = assignment
        isRecalibrated = false
    }

    /// What a recording depends on: not the architecture, but whether anything is multiplied, and the statistics.
    var context: Int {
        let use = switch statistics {
        case .own: 0
        case .batch: 1
        case .filling: 2
        case .kept: 3
        }
        return 1 + use + (hasTwice ? 4 : 0)
    }

    func using<T>(_ use: BatchNorm.Use, _ body: () throws -> T) rethrows -> T {
        let before = statistics
        statistics = use
        defer { statistics = before }
        return try body()
    }
}

/// How often each option of a decision is chosen, in stored memory.
private final class Chosen: Relaxation {
    private let decision: Decision
    private let values: Tensor
    private(set) var hasTwice = false
    var isMultiplied = false

    init(_ decision: Decision) throws {
        self.decision = decision
        values = try Tensor.zeros(decision.shape)
        try super.init("architecture", isSparse: true)
    }

    /// - Parameter value: nil where the decision does not matter.
    func set(_ value: Value?) throws {
        var numbers = [Float](repeating: 0, count: decision.optionCount)
        for option in value.map({ decision.domain.options(of: $0) }) ?? [] { numbers[option] += 1 }
        hasTwice = numbers.contains { $0 > 1 }
        try GradientMode.disabled { try values.assign(Tensor(numbers, shape: decision.shape)) }
    }

    override var areSwitches: Bool { !isMultiplied }
    override func weights(_ logits: Tensor, of decision: Decision) throws -> Weights { Weights(values) }
}
