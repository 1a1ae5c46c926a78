import Glibc
import Segmentation

extension DataSetMethods {
    /// The option `scale`: one factor or {least, most}.
    static func scaleRange(_ call: Call) throws -> ClosedRange<Double> {
        guard let given: LuaValue = try call.option(ifPresent: "scale") else { return 1...1 }
        let ends = given.number.map { [$0, $0] } ?? given.table?.list.compactMap(\.number) ?? []
        guard ends.count == 2, ends[0] <= ends[1], ends.allSatisfy(\.isFinite) else {
            throw call.badOption("scale", "a factor or {least, most} expected, got \(given.source)")
        }
        return ends[0]...ends[1]
    }
}

/// The options `normalise`, `mean` and `std`.
enum DataNormalisation {
    static let options = [
        Option("normalise", .boolean, "(value - mean) / std for each channel, values 0 to 1; false leaves 0 to 1; as the set says when left out"),
        Option("mean", .list(.number), "of red, green, blue; ImageNet's when not given"), Option("std", .list(.number), "the same of the deviations"),
    ]

    /// - Parameter standard: where the call says nothing.
    static func read(_ call: Call, standard: Normalisation = .imageNet) throws -> Normalisation {
        if try call.option(ifPresent: "normalise") == false { return .none }
        guard ["normalise", "mean", "std"].contains(where: { call.hasOption($0) }) else { return standard }
        func channels(_ name: String, _ standard: [Float]) throws -> [Float] {
            guard let given: [Float] = try call.option(ifPresent: name) else { return standard }
            guard given.count == 3 else { throw call.badOption(name, "3 numbers expected, got \(given.count)") }
            return given
        }
        return Normalisation(
            mean: try channels("mean", Normalisation.imageNet.mean), deviation: try channels("std", Normalisation.imageNet.deviation))
    }
}

/// A line that says how far a pass over a set is, once that takes longer than a second: on a terminal and in a notebook's front end.
final class LateBar {
    private let total: Int
    private let label: String
    private let host: ScriptHost
    private let start = LateBar.now
    private var bar: ProgressBar?

    init(total: Int, label: String, host: ScriptHost) {
        self.total = total
        self.label = label
        self.host = host
    }

    private static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    /// Not where outputs are the same in every run, which this is not.
    private var isWanted: Bool {
        if case .display(_, clock: false) = host.output.progress { return false }
        return host.output.showsProgress
    }

    func update(_ done: Int) {
        if bar == nil, isWanted, LateBar.now - start > 1000 { bar = ProgressBar(total: total, label: label, done: done, host: host) }
        bar?.update(done, [])
    }

    /// Takes the line away.
    func clear() { bar?.clear() }
}
