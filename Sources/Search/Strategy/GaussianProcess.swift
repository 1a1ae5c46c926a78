import Foundation

/// Regression by a Gaussian process (Rasmussen and Williams, "Gaussian processes for machine learning", 2006, algorithm 2.1): values at points of which only squared distances are
/// known, with covariance exp(-d² / (2 l²)) and noise; in float64, exact by Cholesky's decomposition.
///
/// Values are taken relative to their mean and deviation. Length and noise are those of a grid under which the values are most probable.
struct GaussianProcess {
    /// Squared.
    private let length: Double
    private let noise: Double
    private let mean: Double
    private let deviation: Double
    /// Lower triangle of the covariance with noise, row by row.
    private let factor: [[Double]]
    /// The inverse of the covariance times the values.
    private let weights: [Double]

    /// Noise against the values' own variance.
    static let noises = [0.01, 0.1, 0.5]
    /// Squared lengths against the mean squared distance.
    static let lengths = [0.25, 0.5, 1, 2, 4]

    /// - Parameters:
    ///   - distances: squared, of each two points; symmetric.
    ///   - values: at the points, at least one.
    ///   - fitted: by how many of the first points length and noise are chosen.
    ///   - other: whose length and noise are taken instead.
    init(distances: [[Double]], values: [Double], fitted: Int, like other: GaussianProcess? = nil) {
        let count = Double(values.count)
        mean = values.reduce(0, +) / count
        let variance = values.reduce(0) { [mean] in $0 + ($1 - mean) * ($1 - mean) } / count
        deviation = variance > 0 ? variance.squareRoot() : 1
        let relative = values.map { [mean, deviation] in ($0 - mean) / deviation }
        (length, noise) = other.map { ($0.length, $0.noise) } ?? Self.mostProbable(distances, Array(relative.prefix(fitted)))
        factor = Self.factor(distances, values.count, length, noise)
        weights = Self.solve(factor, relative)
    }

    /// Mean and deviation of the value without noise at another point.
    /// - Parameter distances: squared, from each of the points.
    func value(at distances: [Double]) -> (mean: Double, deviation: Double) {
        let covariance = distances.map { exp(-$0 / (2 * length)) }
        let expected = zip(covariance, weights).reduce(0) { $0 + $1.0 * $1.1 }
        let explained = Self.forward(factor, covariance).reduce(0) { $0 + $1 * $1 }
        return (mean + deviation * expected, deviation * max(1 - explained, 1e-12).squareRoot())
    }

    /// Squared length and noise of the grid under which the values of the first points are most probable.
    private static func mostProbable(_ distances: [[Double]], _ values: [Double]) -> (length: Double, noise: Double) {
        let typical = typical(distances, values.count)
        var best = (length: typical, noise: 1.0, evidence: -Double.infinity)
        for length in lengths.map({ $0 * typical }) {
            for noise in noises {
                let evidence = evidence(factor(distances, values.count, length, noise), values)
                if evidence > best.evidence { best = (length, noise, evidence) }
            }
        }
        return (best.length, best.noise)
    }

    /// The mean squared distance of two of the first points.
    private static func typical(_ distances: [[Double]], _ count: Int) -> Double {
        let sum = (0..<count).reduce(0) { $0 + distances[$1].prefix(count).reduce(0, +) }
        return sum > 0 ? sum / Double(count * (count - 1)) : 1
    }

    private static func factor(_ distances: [[Double]], _ count: Int, _ length: Double, _ noise: Double) -> [[Double]] {
        var rows: [[Double]] = []
        for i in 0..<count {
            var row = [Double](repeating: 0, count: i + 1)
            for j in 0...i {
                let other = j < i ? rows[j] : row
                var sum = exp(-distances[i][j] / (2 * length)) + (i == j ? noise : 0)
                for k in 0..<j { sum -= row[k] * other[k] }
                row[j] = j < i ? sum / other[j] : max(sum, 1e-12).squareRoot()
            }
            rows.append(row)
        }
        return rows
    }

    /// The logarithm of the density of the values, but for a constant.
    private static func evidence(_ factor: [[Double]], _ values: [Double]) -> Double {
        let half = forward(factor, values)
        return -0.5 * half.reduce(0) { $0 + $1 * $1 } - factor.indices.reduce(0) { $0 + log(factor[$1][$1]) }
    }

    /// x of L x = b.
    private static func forward(_ factor: [[Double]], _ b: [Double]) -> [Double] {
        var x: [Double] = []
        for (i, row) in factor.enumerated() {
            var sum = b[i]
            for k in 0..<i { sum -= row[k] * x[k] }
            x.append(sum / row[i])
        }
        return x
    }

    /// x of L Lᵀ x = b.
    private static func solve(_ factor: [[Double]], _ b: [Double]) -> [Double] {
        var x = forward(factor, b)
        for i in factor.indices.reversed() {
            for k in factor.indices.dropFirst(i + 1) { x[i] -= factor[k][i] * x[k] }
            x[i] /= factor[i][i]
        }
        return x
    }
}
