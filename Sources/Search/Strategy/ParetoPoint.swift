/// A result as a point: more score and less cost are better.
struct ParetoPoint: Hashable, Sendable {
    let score: Double
    let cost: Double

    init(score: Double, cost: Double) { (self.score, self.cost) = (score, cost) }

    /// A result without a cost costs nothing.
    init(_ result: TrialResult) { self.init(score: result.score, cost: result.cost ?? 0) }

    /// Whether it is at least as good in both.
    func isNoWorse(than other: ParetoPoint) -> Bool { score >= other.score && cost <= other.cost }

    /// Whether it is at least as good in both, and better in one.
    func dominates(_ other: ParetoPoint) -> Bool { self != other && isNoWorse(than: other) }

    /// The front of each point (Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002): 0 for those that no other dominates, 1 for those that only
    /// such of front 0 do, and so on.
    static func ranks(_ points: [ParetoPoint]) -> [Int] {
        var dominators = points.map { point in points.count { $0.dominates(point) } }
        var ranks = [Int](repeating: 0, count: points.count)
        var front = points.indices.filter { dominators[$0] == 0 }
        var rank = 0
        while !front.isEmpty {
            var next: [Int] = []
            for i in front {
                ranks[i] = rank
                for j in points.indices where points[i].dominates(points[j]) {
                    dominators[j] -= 1
                    if dominators[j] == 0 { next.append(j) }
                }
            }
            (front, rank) = (next.sorted(), rank + 1)
        }
        return ranks
    }

    /// How much room each point has among those of its front: the sides of the box between its neighbours, relative to the front's extent; infinite for the outermost ones.
    static func crowding(_ points: [ParetoPoint], ranks: [Int]) -> [Double] {
        var room = [Double](repeating: 0, count: points.count)
        for rank in Set(ranks) {
            let front = points.indices.filter { ranks[$0] == rank }
            for value in [\ParetoPoint.score, \ParetoPoint.cost] {
                let order = front.sorted { (points[$0][keyPath: value], $0) < (points[$1][keyPath: value], $1) }
                guard let first = order.first, let last = order.last else { continue }
                (room[first], room[last]) = (.infinity, .infinity)
                let extent = points[last][keyPath: value] - points[first][keyPath: value]
                guard extent > 0 else { continue }
                for k in order.indices.dropFirst().dropLast() {
                    room[order[k]] += (points[order[k + 1]][keyPath: value] - points[order[k - 1]][keyPath: value]) / extent
                }
            }
        }
        return room
    }
}
