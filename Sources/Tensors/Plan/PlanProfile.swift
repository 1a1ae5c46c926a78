import Base

/// Where the time of tensor operations goes. While one is current, plans time each kernel they launch and operations that run at once are timed
/// too, at some 100 ns each.
public final class PlanProfile {
    public static var current: PlanProfile? { Surroundings.now.profile }

    /// What is told apart: an operation in a module.
    public struct Key: Hashable, Sendable {
        /// Name of the operation; "(fused)" behind it when a plan made it do the work of others too.
        public let operation: String
        /// Path of the module it was written in; empty outside of modules.
        public let module: String

        public init(operation: String, module: String) {
            self.operation = operation
            self.module = module
        }
    }

    public struct Entry: Hashable, Sendable {
        public var calls = 0
        public var seconds = 0.0
        /// Multiply-adds of convolutions and matrix products, by the direct count.
        public var multiplyAdds = 0

        public init() {}

        mutating func add(_ other: Entry) {
            calls += other.calls
            seconds += other.seconds
            multiplyAdds += other.multiplyAdds
        }
    }

    public private(set) var entries: [Key: Entry] = [:]
    /// Runs of plans, and kernels that they launched.
    public private(set) var runs = 0
    public private(set) var plannedCalls = 0
    /// Time from start to end, of `measure` alone: also what is no operation (scripts, data, compiling).
    public private(set) var elapsed = 0.0

    public init() {}

    /// Runs `body` with this profile current; what it finds also goes to the one that was.
    public func measure<T>(_ body: () throws -> T) rethrows -> T {
        let before = PlanProfile.current
        let (start, known) = (PlanProfile.now(), entries)
        let counts = (runs, plannedCalls)
        defer {
            elapsed += PlanProfile.now() - start
            before?.take(self, since: known, counts)
        }
        return try Surroundings.with(\.profile, self, body)
    }

    private func take(_ inner: PlanProfile, since known: [Key: Entry], _ counts: (runs: Int, calls: Int)) {
        for (key, entry) in inner.entries {
            let old = known[key] ?? Entry()
            var news = entry
            news.calls -= old.calls
            news.seconds -= old.seconds
            news.multiplyAdds -= old.multiplyAdds
            entries[key, default: Entry()].add(news)
        }
        runs += inner.runs - counts.runs
        plannedCalls += inner.plannedCalls - counts.calls
    }

    func time<T>(
        _ operation: String, in module: String, multiplyAdds: Int = 0, isPlanned: Bool = false, _ body: () throws -> T
    ) rethrows -> T {
        let start = PlanProfile.now()
        let result = try body()
        var entry = Entry()
        (entry.calls, entry.seconds, entry.multiplyAdds) = (1, PlanProfile.now() - start, multiplyAdds)
        entries[Key(operation: operation, module: module), default: Entry()].add(entry)
        if isPlanned { plannedCalls += 1 }
        return result
    }

    func countRun() { runs += 1 }

    /// Seconds on a clock that only goes forward.
    public static func now() -> Double { monotonicSeconds() }

    // MARK: Sums

    public typealias Row = (name: String, entry: Entry)

    /// Sum of all operations.
    public var total: Entry {
        var sum = Entry()
        for entry in entries.values { sum.add(entry) }
        return sum
    }

    /// By operation, most time first.
    public var byOperation: [Row] { sums { $0.operation } }

    /// By module, most time first; see `ModulePattern.cut`.
    /// - Parameters:
    ///   - depth: names of a path that count; 0: all.
    ///   - merge: take modules that differ in numbers only as one.
    public func byModule(depth: Int, merge: Bool) -> [Row] {
        sums { $0.module.isEmpty ? "(outside of modules)" : ModulePattern.cut($0.module, depth: depth, merge: merge) }
    }

    private func sums(_ name: (Key) -> String) -> [Row] {
        var found: [String: Entry] = [:]
        for (key, entry) in entries { found[name(key), default: Entry()].add(entry) }
        return found.map { ($0.key, $0.value) }.sorted { ($1.entry.seconds, $0.name) < ($0.entry.seconds, $1.name) }
    }
}

/// Module paths as groups: `cells.3.block.2.1.sep_conv_3x3.depthwise1`.
public enum ModulePattern {
    /// The module that paths have in common: `stem.1` of `stem.1.conv` and `stem.1.bn`. Works outside of modules do not count.
    static func common(_ paths: [String]) -> String {
        let parts = paths.filter { !$0.isEmpty }.map { $0.split(separator: ".") }
        guard let first = parts.first else { return "" }
        let count = parts.map { zip(first, $0).prefix { $0 == $1 }.count }.min() ?? 0
        return first.prefix(count).joined(separator: ".")
    }

    /// The first `depth` names of a path (0: all) with the numbers behind each; with `merge`, numbers written as `*`.
    ///
    /// With depth 3, `cells.3.block.2.1.sep_conv_3x3.depthwise1` is `cells.*.block.*.*.sep_conv_3x3`, or `cells.3.block.2.1.sep_conv_3x3`.
    public static func cut(_ path: String, depth: Int, merge: Bool) -> String {
        var parts: [Substring] = []
        var names = 0
        for part in path.split(separator: ".") {
            let isNumber = part.allSatisfy(\.isNumber)
            if !isNumber {
                if depth > 0 && names == depth { break }
                names += 1
            }
            parts.append(isNumber && merge ? "*" : part)
        }
        return parts.joined(separator: ".")
    }
}
