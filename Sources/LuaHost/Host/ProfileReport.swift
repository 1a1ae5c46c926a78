import Base
import Figures
import Tensors

/// A profile as people read it: tables and bars.
struct ProfileReport {
    let profile: PlanProfile
    /// Names of a module's path that count, rows of a table.
    var depth = 3
    var rows = 16

    private var total: Double { max(profile.total.seconds, 1e-12) }

    func share(_ entry: PlanProfile.Entry) -> Double { entry.seconds / total }

    /// GFLOP/s of what has multiply-adds.
    static func rate(_ entry: PlanProfile.Entry) -> Double? {
        entry.multiplyAdds > 0 && entry.seconds > 0 ? 2e-9 * Double(entry.multiplyAdds) / entry.seconds : nil
    }

    /// Three tables: by operation, by module with numbers merged, by place in the network.
    func text() -> String {
        let sum = profile.total
        guard sum.calls > 0 else { return "no tensor operation was run" }
        var head = "\(milliseconds(sum.seconds)) ms in \(NumberText.grouped(sum.calls)) operations"
        if profile.runs > 0 { head += ", \(NumberText.grouped(profile.plannedCalls)) of them kernels of \(NumberText.grouped(profile.runs)) plan run\(profile.runs == 1 ? "" : "s")" }
        if profile.elapsed > 0 { head += "; \(milliseconds(max(0, profile.elapsed - sum.seconds))) ms elsewhere (scripts, data, compiling)" }
        return ([head, ""] + table("operation", profile.byOperation) + [""] + table("module, whatever its numbers", profile.byModule(depth: depth, merge: true))
            + [""] + table("place", profile.byModule(depth: 1, merge: false))).joined(separator: "\n")
    }

    private func table(_ title: String, _ all: [PlanProfile.Row]) -> [String] {
        let shown = all.prefix(all.count > rows ? rows - 1 : rows)
        var lines: [(name: String, entry: PlanProfile.Entry)] = Array(shown)
        if shown.count < all.count {
            var rest = PlanProfile.Entry()
            for row in all.dropFirst(shown.count) {
                rest.calls += row.entry.calls
                rest.seconds += row.entry.seconds
            }
            lines.append(("\(all.count - shown.count) others", rest))
        }
        let width = min(60, max(title.count, lines.map(\.name.count).max() ?? 0))
        func line(_ name: String, _ cells: [String]) -> String {
            let shortened = name.count > width ? "…" + name.suffix(width - 1) : name
            let text = shortened + String(repeating: " ", count: width - shortened.count)
                + zip(cells, [11, 8, 9, 9]).map { String(repeating: " ", count: max(1, $1 - $0.count)) + $0 }.joined()
            return String(text.reversed().drop { $0 == " " }.reversed())
        }
        return [line(title, ["ms", "%", "calls", "GFLOP/s"])]
            + lines.map { name, entry in
                line(
                    name, [
                        milliseconds(entry.seconds), NumberText.fixed(100 * share(entry), 1), NumberText.grouped(entry.calls),
                        ProfileReport.rate(entry).map { NumberText.fixed($0, 1) } ?? "",
                    ])
            }
    }

    private func milliseconds(_ seconds: Double) -> String { NumberText.fixed(1000 * seconds, seconds < 0.1 ? 2 : seconds < 10 ? 1 : 0) }

    /// The same as bars, per cent of the operations' time.
    func figure(title: String?) -> any Figure {
        func bars(_ name: String, _ all: [PlanProfile.Row]) -> BarChart {
            var shown = all.prefix(rows).map { ($0.name, 100 * share($0.entry)) }
            let rest = all.dropFirst(rows).reduce(0) { $0 + 100 * share($1.entry) }
            if all.count > rows { shown.append(("\(all.count - rows) others", rest)) }
            var chart = BarChart(shown, title: name, axis: Axis("% of \(milliseconds(total)) ms"))
            chart.width = 720
            return chart
        }
        return FigureGrid.column([
            bars("by operation", profile.byOperation), bars("by module, whatever its numbers", profile.byModule(depth: depth, merge: true)),
            bars("by place", profile.byModule(depth: 1, merge: false)),
        ], title: title)
    }
}
