import Base
import Tensors

/// What trainings of the architectures of a space came to: the scores of each, by seed, at some steps of the training, and what its network costs.
///
/// A strategy asks for validation scores of one seed (`score`), at the price of the steps; what it found is judged by test scores of the other seeds (`judge`), which it never
/// saw: another set of images, other initial weights and another order of the batches.
public struct Truth {
    /// Of one architecture.
    public struct Entry: Equatable {
        public var parameters: Int
        public var multiplyAdds: Int
        /// [seed, checkpoint]; higher is better.
        public var validation: [[Double]]
        /// The same of the images that judge.
        public var test: [[Double]]
        /// [seed, checkpoint]: the mean loss of the training itself over the second half of its steps so far; nil where nobody wrote it down.
        public var loss: [[Double?]]

        public init(parameters: Int, multiplyAdds: Int, validation: [[Double]], test: [[Double]], loss: [[Double?]] = []) {
            (self.parameters, self.multiplyAdds, self.validation, self.test, self.loss) = (parameters, multiplyAdds, validation, test, loss)
        }
    }

    public let name: String
    public let space: SpaceRecord
    public let seeds: [Int]
    /// Steps of a training after which it was measured, ascending.
    public let checkpoints: [Int]
    /// How it was made; plain values.
    public let settings: JSONValue
    public let entries: [Assignment: Entry]
    /// In the order of the space.
    public let architectures: [Assignment]

    private static let mostArchitectures = 1 << 20

    /// - Throws: `SpaceError` for lists that do not fit, and for architectures of another space.
    public init(name: String, space: SpaceRecord, seeds: [Int], checkpoints: [Int], settings: JSONValue, entries: [Assignment: Entry]) throws {
        func wrong(_ at: String, _ expected: String, _ got: String) -> SpaceError { SpaceError(.shape, at: at, expected: expected, got: got, remedy: "scripts/truth.lua makes truths") }
        guard let first = checkpoints.first, first > 0, zip(checkpoints, checkpoints.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw wrong("checkpoints", "steps that grow", "\(checkpoints)")
        }
        guard seeds.count >= 2, Set(seeds).count == seeds.count else { throw wrong("seeds", "at least two, all different: the others judge", "\(seeds)") }
        guard let count = try space.decisions.count().int, count <= Truth.mostArchitectures else {
            throw wrong("space", "at most \(Truth.mostArchitectures) architectures", try space.decisions.count().description)
        }
        for (assignment, entry) in entries {
            try space.decisions.check(assignment)
            for (what, scores) in [("validation", entry.validation), ("test", entry.test)] {
                guard scores.count == seeds.count, scores.allSatisfy({ $0.count == checkpoints.count && $0.allSatisfy(\.isFinite) }) else {
                    throw wrong(what, "a finite score for each of \(seeds.count) seeds and \(checkpoints.count) checkpoints", "\(scores)")
                }
            }
            let isWhole = entry.loss.count == seeds.count && entry.loss.allSatisfy { $0.count == checkpoints.count && $0.allSatisfy { $0?.isFinite ?? true } }
            guard entry.loss.isEmpty || isWhole else {
                throw wrong("loss", "none, or a finite one or nil for each of \(seeds.count) seeds and \(checkpoints.count) checkpoints", "\(entry.loss)")
            }
        }
        (self.name, self.space, self.seeds, self.checkpoints, self.settings, self.entries) = (name, space, seeds, checkpoints, settings, entries)
        architectures = try space.decisions.each().filter { entries[$0] != nil }
    }

    // MARK: Questions

    /// - Throws: `SpaceError` for one that was not trained.
    public func entry(_ assignment: Assignment) throws -> Entry {
        guard let entry = entries[assignment] else {
            throw SpaceError(
                .unknownName, at: "architecture", expected: "one of the \(entries.count) that '\(name)' has trainings of", got: "another one", remedy: "truth.space has them")
        }
        return entry
    }

    private func position(_ number: Int?, in list: [Int], _ what: String, _ standard: Int) throws -> Int {
        guard let number else { return standard }
        guard let position = list.firstIndex(of: number) else {
            throw SpaceError(.size, at: what, expected: list.map(String.init).joined(separator: ", "), got: "\(number)", remedy: "nothing else was measured for '\(name)'")
        }
        return position
    }

    /// The validation score of one training, and its own loss.
    /// - Parameters:
    ///   - steps: how long it is trained, one of the checkpoints; nil: to the end.
    ///   - seed: of the training; nil: the first.
    /// - Returns: the score, the steps that it costs, and the loss where it is known.
    public func score(_ assignment: Assignment, steps: Int? = nil, seed: Int? = nil) throws -> (score: Double, cost: Int, loss: Double?) {
        let entry = try entry(assignment)
        let (s, c) = (try position(seed, in: seeds, "seed", 0), try position(steps, in: checkpoints, "steps", checkpoints.count - 1))
        return (entry.validation[s][c], checkpoints[c], entry.loss.isEmpty ? nil : entry.loss[s][c])
    }

    /// The mean test score at the end of the trainings of all seeds but one.
    /// - Parameter seed: the one that a strategy asked about; nil leaves none out.
    public func judge(_ assignment: Assignment, except seed: Int? = nil) throws -> Double { try judge(entry(assignment), except: seed) }

    private func judge(_ entry: Entry, except seed: Int?) throws -> Double {
        let left = try position(seed, in: seeds, "except", -1)
        let scores = entry.test.indices.filter { $0 != left }.map { entry.test[$0][checkpoints.count - 1] }
        return scores.reduce(0, +) / Double(scores.count)
    }

    /// How many architectures the judge likes better, and one: 1 is the best.
    public func rank(_ assignment: Assignment, except seed: Int? = nil) throws -> Int {
        let own = try judge(assignment, except: seed)
        return try 1 + entries.values.filter { try judge($0, except: seed) > own }.count
    }

    /// How well a whole training knows the judge: Kendall's rank correlation of one seed's validation scores with the judge of the others, over all architectures, the mean over
    /// seeds. What a strategy believes of architectures cannot be expected to agree better.
    /// - Parameter steps: of trainings that are shorter; nil: to the end.
    public func ceiling(steps: Int? = nil) throws -> Double {
        let taus = try seeds.map { seed in
            try kendall(architectures.map { try score($0, steps: steps, seed: seed).score }, architectures.map { try judge($0, except: seed) })
        }
        return taus.reduce(0, +) / Double(taus.count)
    }
}

/// Kendall's rank correlation, tau-b: of all pairs of positions, those that two lists order alike without those that they order otherwise, with ties taken out; 0 where a list is all ties.
func kendall(_ x: [Double], _ y: [Double]) -> Double {
    var (agreement, inX, inY) = (0, 0, 0)
    for i in x.indices {
        for j in 0..<i {
            let (a, b) = ((x[i] > x[j] ? 1 : 0) - (x[i] < x[j] ? 1 : 0), (y[i] > y[j] ? 1 : 0) - (y[i] < y[j] ? 1 : 0))
            agreement += a * b
            inX += a * a
            inY += b * b
        }
    }
    return inX == 0 || inY == 0 ? 0 : Double(agreement) / (Double(inX) * Double(inY)).squareRoot()
}
