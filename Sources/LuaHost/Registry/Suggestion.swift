/// The candidate nearest to a misspelt name, if one is near enough to be meant.
func nearest(_ name: String, among candidates: [String]) -> String? {
    let name = Array(name.utf8)
    func most(_ other: [UInt8]) -> Int { max(1, min(name.count, other.count) / 3 + (name.count > 4 ? 1 : 0)) }
    // Texts of very different length are not compared: the work is the product of the lengths.
    let scored = candidates.map { ($0, Array($0.utf8)) }.filter { abs($1.count - name.count) <= most($1) }.map { ($0, $1, editDistance(name, $1)) }
    guard let best = scored.min(by: { $0.2 < $1.2 }) else { return nil }
    return best.2 <= most(best.1) ? best.0 : nil
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one into the other (Damerau's restricted distance).
func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var rows = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
    for j in 0...b.count { rows[0][j] = j }
    for i in 0...a.count { rows[i][0] = i }
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    for i in 1...a.count {
        for j in 1...b.count {
            var cost = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { cost = min(cost, rows[i - 2][j - 2] + 1) }
            rows[i][j] = cost
        }
    }
    return rows[a.count][b.count]
}
