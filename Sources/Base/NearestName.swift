/// The name of `names` nearest to a misspelt one (of equals the first), if one is near enough to be meant. Capitals do not matter.
public func nearestName(to name: String, in names: [String]) -> String? {
    let wanted = Array(name.lowercased().utf8)
    func most(_ other: [UInt8]) -> Int { max(1, min(wanted.count, other.count) / 3 + (wanted.count > 4 ? 1 : 0)) }
    // Texts of very different length are not compared: the work is the product of the lengths.
    let scored = names.map { ($0, Array($0.lowercased().utf8)) }.filter { abs($1.count - wanted.count) <= most($1) }
        .map { (name: $0, letters: $1, distance: editDistance(wanted, $1)) }
    guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
    // Something of the name has to be in the other one.
    return best.distance <= most(best.letters) && best.distance < wanted.count ? best.name : nil
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one into the other (Damerau's restricted distance).
func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var before: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
            row.append(cost)
        }
        before = last
        last = row
    }
    return last[b.count]
}
