/// The candidate nearest to a misspelt name, if one is near enough to be meant.
func nearest(_ name: String, among candidates: [String]) -> String? {
    let scored = candidates.map { ($0, editDistance(Array(name.utf8), Array($0.utf8))) }
    guard let best = scored.min(by: { $0.1 < $1.1 }) else { return nil }
    return best.1 <= max(1, min(name.utf8.count, best.0.utf8.count) / 3 + (name.utf8.count > 4 ? 1 : 0)) ? best.0 : nil
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
