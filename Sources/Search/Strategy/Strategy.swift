import Base

/// What a trial of an architecture came to.
public struct TrialResult: Hashable, Sendable {
    /// Higher is better.
    public var score: Double
    /// What the architecture costs, for strategies that weigh it against the score. Lower is better.
    public var cost: Double?
    /// How far the trial went, in steps or epochs.
    public var step: Int?
    /// The training's own loss at last, for strategies that learn from it: it says more of a short training than the score does. Lower is better.
    public var loss: Double?

    public init(score: Double, cost: Double? = nil, step: Int? = nil, loss: Double? = nil) {
        (self.score, self.cost, self.step, self.loss) = (score, cost, step, loss)
    }

    /// - Throws: `SpaceError` for numbers that say nothing: NaN, infinity.
    public func check() throws {
        for (name, number) in [("score", score), ("cost", cost ?? 0), ("loss", loss ?? 0)] where !number.isFinite {
            throw SpaceError(
                .result, at: name, expected: "a finite number", got: number.isNaN ? "nan" : NumberText.plain(number),
                remedy: "a trial that came to no number has failed: say so (trial:fail), and the strategy goes on without it")
        }
        if let step, step < 0 { throw SpaceError(.result, at: "step", expected: "0 or more", got: "\(step)", remedy: "leave it out where there are no steps") }
    }
}

/// What a strategy asks to try.
public struct TrialRequest: Hashable, Sendable {
    public var assignment: Assignment
    /// How far it is to be trained in all, in steps or epochs, whatever it was trained before; nil: as far as trials go.
    public var steps: Int?

    public init(_ assignment: Assignment, steps: Int? = nil) { (self.assignment, self.steps) = (assignment, steps) }
}

/// What says which architecture to try next, from the results so far.
///
/// Several may be asked before one is told (parallel workers), and results may come in any order. With the same seed and the same calls in the same order a
/// strategy gives the same architectures, also when its state went through a file in between.
public protocol Strategy: AnyObject {
    var decisions: DecisionList { get }
    /// The next architecture to try. The same one may be asked for again, and with more steps where it did well with few.
    func ask() throws -> TrialRequest
    /// The final result of an architecture that was asked for: of several requests of one architecture, of the first that asked for the result's steps.
    /// - Throws: for one of another space, one that was not asked for (or told already), and a result that is no number. Nothing has changed then.
    func tell(_ assignment: Assignment, _ result: TrialResult) throws
    /// A result on the way, of an architecture that was asked for and not told yet; `step` says how far.
    /// - Returns: whether the trial is worth going on with. If not, its last result is to be told as the final one.
    func report(_ assignment: Assignment, _ result: TrialResult) throws -> Bool
    /// There will be no result of an architecture that was asked for: its trial failed.
    func drop(_ assignment: Assignment) throws
    /// The number of results told.
    var told: Int { get }
    /// The architecture with the highest score of those that were asked for with the most steps, the first of equals.
    var best: (assignment: Assignment, result: TrialResult)? { get }
    /// All that it goes on from: the generator, what was asked and not told, what it remembers.
    var state: JSONValue { get throws }
    /// Goes on from a state of a strategy of the same kind, settings and space.
    /// - Throws: for any other. Nothing has changed then.
    func load(_ state: JSONValue) throws
}

extension Strategy {
    public func report(_ assignment: Assignment, _ result: TrialResult) throws -> Bool {
        try result.check()
        return true
    }
}
