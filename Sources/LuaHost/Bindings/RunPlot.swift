import Figures
import Runs

/// Curves of several runs in one plot.
enum RunPlot {
    /// - Throws: `HostError` where no run has numbers of that name.
    static func chart(_ runs: [Run], _ name: String, title: String? = nil, x: Axis = Axis("step"), y: Axis? = nil, size: Size = Size(640, 400)) throws -> Chart {
        var known = Set<String>()
        let series = try runs.compactMap { run -> Series? in
            let curves = try run.curves()
            known.formUnion(curves.points.keys)
            guard let points = curves.points[name] else { return nil }
            return try Series(run.name, x: points.map { Double($0.step) }, y: points.map(\.value), style: points.count > 1 ? .line : .dots)
        }
        guard !series.isEmpty else {
            throw HostError("none of these \(runs.count) runs has numbers '\(name)' by step; \(known.isEmpty ? "they have none at all" : "there are " + known.sorted().joined(separator: ", "))")
        }
        return Chart(series, title: title ?? name, x: x, y: y ?? Axis(""), size: size)
    }
}
