import Foundation

/// The extreme eigenvalues of a symmetric matrix of which only products with vectors are known (Lanczos 1950), with full reorthogonalisation: in as many
/// products as there are rows it is exact, and the ends of a spectrum are found long before.
enum Lanczos {
    struct Ends {
        let smallest, largest: Double
        /// That of the larger absolute value.
        var dominant: Double { -smallest > largest ? smallest : largest }
    }

    /// What of a product is rounding: it is computed in float32.
    private static let rounding = 1e-6

    /// - Parameters:
    ///   - tolerance: how far off the ends may be, relative to the dominant one.
    ///   - product: matrix · vector.
    static func ends(rows: Int, tolerance: Double = 1e-4, product: ([Double]) throws -> [Double]) rethrows -> Ends {
        var generator = SplitMix64(seed: 1)
        var (basis, diagonal, beside): ([[Double]], [Double], [Double]) = ([], [], [])
        var next = direction(rows, besides: basis, &generator)
        while basis.count < rows {
            basis.append(next)
            var rest = try product(next)
            diagonal.append(dot(next, rest))
            orthogonalise(&rest, to: basis)
            let length = dot(rest, rest).squareRoot()
            let found = tridiagonalEigenvalues(diagonal, beside)
            let scale = found.map { abs($0.value) }.max() ?? 0
            if length > rounding * scale {
                // |beside · last entry of the eigenvector| bounds how far off a value is (Parlett 1980, section 13.2).
                if [found.first, found.last].allSatisfy({ length * abs($0?.last ?? 0) <= tolerance * scale }) { break }
                beside.append(length)
                next = rest.map { $0 / length }
            } else {
                // The matrix maps what was looked at onto itself; what it does elsewhere is not known yet.
                beside.append(0)
                next = direction(rows, besides: basis, &generator)
            }
        }
        let found = tridiagonalEigenvalues(diagonal, beside)
        return Ends(smallest: found.first?.value ?? 0, largest: found.last?.value ?? 0)
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

    /// Twice is enough (Parlett 1980, section 6.9).
    private static func orthogonalise(_ x: inout [Double], to basis: [[Double]]) {
        for known in basis + basis {
            let share = dot(known, x)
            for i in x.indices { x[i] -= share * known[i] }
        }
    }

    private static func direction(_ rows: Int, besides basis: [[Double]], _ generator: inout SplitMix64) -> [Double] {
        guard basis.count < rows else { return [] }
        var x = (0..<rows).map { _ in Double.random(in: -1...1, using: &generator) }
        orthogonalise(&x, to: basis)
        let length = dot(x, x).squareRoot()
        return x.map { $0 / length }
    }

    /// Eigenvalues of a symmetric tridiagonal matrix in rising order, each with the last entry of its eigenvector: QL with implicit shifts (Wilkinson and Reinsch
    /// 1971, tql2), of whose vectors one row is kept.
    /// - Parameter beside: what stands beside the diagonal; entries behind its rows are not read.
    static func tridiagonalEigenvalues(_ diagonal: [Double], _ beside: [Double]) -> [(value: Double, last: Double)] {
        let n = diagonal.count
        var d = diagonal, e = Array(beside.prefix(max(n - 1, 0))) + [0]
        var last = [Double](repeating: 0, count: n)
        if n > 0 { last[n - 1] = 1 }
        for l in 0..<n {
            while let m = (l..<n).first(where: { $0 == n - 1 || abs(e[$0]) <= Double.ulpOfOne * (abs(d[$0]) + abs(d[$0 + 1])) }), m > l {
                sweep(&d, &e, &last, l, m)
            }
        }
        return zip(d, last).map { ($0, $1) }.sorted { $0.value < $1.value }
    }

    /// One implicit step on rows l...m, which are apart from the others.
    private static func sweep(_ d: inout [Double], _ e: inout [Double], _ last: inout [Double], _ l: Int, _ m: Int) {
        let half = (d[l + 1] - d[l]) / (2 * e[l])
        var g = d[m] - d[l] + e[l] / (half + (half < 0 ? -1 : 1) * hypot(half, 1))
        var (s, c, p) = (1.0, 1.0, 0.0)
        for i in (l..<m).reversed() {
            let f = s * e[i], b = c * e[i]
            let r = hypot(f, g)
            e[i + 1] = r
            guard r != 0 else {
                d[i + 1] -= p
                e[m] = 0
                return
            }
            (s, c) = (f / r, g / r)
            g = d[i + 1] - p
            let t = (d[i] - g) * s + 2 * c * b
            p = s * t
            d[i + 1] = g + p
            g = c * t - b
            (last[i], last[i + 1]) = (c * last[i] - s * last[i + 1], s * last[i] + c * last[i + 1])
        }
        d[l] -= p
        e[l] = g
        e[m] = 0
    }
}
