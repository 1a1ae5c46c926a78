/// An architecture that a score of the caller's was asked about.
public struct Scored {
    public let candidate: Decoded
    public let score: Double
}

/// What decoding by a score found, and how.
public struct ScoredDecoding {
    /// Best first; of equal scores the more probable first.
    public let best: [Scored]
    /// How many architectures were scored, those that the score passed over included.
    public let tried: Int
    /// Whether that were all there are (within the budget and the smaller space): then the best is the best.
    public let isExhaustive: Bool
}

extension Supernet {
    /// The architectures with the highest scores among candidates, which are scored one after the other. The network is at the same architecture afterwards as before,
    /// wherever the score put it.
    /// - Parameters:
    ///   - candidates: how many are scored; all architectures where there are no more than that.
    ///   - find: the so many most probable architectures, as `decode` gives them.
    ///   - score: nil passes an architecture over.
    /// - Throws: where it passes all over, and for NaN.
    public func best(_ count: Int, of candidates: Int, from find: (Int) throws -> [Decoded], score: (Assignment) throws -> Double?) throws -> ScoredDecoding {
        guard candidates >= max(count, 1) else {
            throw SpaceError(
                .size, at: "candidates", expected: "at least \(max(count, 1)), as many as are to be found", got: "\(candidates)", remedy: "score more candidates, or ask for fewer")
        }
        // One more tells whether these are all.
        let found = try find(candidates + 1)
        let place = assignment
        let result = Result { try found.prefix(candidates).compactMap { try rated($0, score) } }
        if assignment != place { try at(place) }
        let all = try result.get(), tried = min(found.count, candidates)
        guard !all.isEmpty else {
            throw SpaceError(
                .noPath, at: "decode", expected: "a score of at least one architecture", got: "nil for all \(tried) candidates", remedy: "raise candidates, or let the score accept more")
        }
        let order = all.indices.sorted { (all[$1].score, $0) < (all[$0].score, $1) }
        return ScoredDecoding(best: order.prefix(count).map { all[$0] }, tried: tried, isExhaustive: found.count <= candidates)
    }

    private func rated(_ candidate: Decoded, _ score: (Assignment) throws -> Double?) throws -> Scored? {
        guard let number = try score(candidate.assignment) else { return nil }
        guard !number.isNaN else {
            throw SpaceError(
                .size, at: "score of \(decisions.text(candidate.assignment))", expected: "a number", got: "nan", remedy: "return nil for an architecture that is to be passed over")
        }
        return Scored(candidate: candidate, score: number)
    }
}
