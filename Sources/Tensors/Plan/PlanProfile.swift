import Glibc

/// Where a plan's time goes, by operation. While one is current, plans time each kernel they launch (some 50 ns a launch).
public final class PlanProfile {
    nonisolated(unsafe) public static var current: PlanProfile?

    public struct Entry {
        public var calls = 0
        public var seconds = 0.0
    }

    public private(set) var entries: [String: Entry] = [:]

    public init() {}

    func time(_ label: String, _ body: () throws -> Void) rethrows {
        let start = PlanProfile.now()
        try body()
        var entry = entries[label] ?? Entry()
        entry.calls += 1
        entry.seconds += PlanProfile.now() - start
        entries[label] = entry
    }

    /// Seconds on a clock that only goes forward.
    public static func now() -> Double {
        var t = timespec()
        clock_gettime(CLOCK_MONOTONIC, &t)
        return Double(t.tv_sec) + Double(t.tv_nsec) * 1e-9
    }

    /// Entries by falling time.
    public var sorted: [(label: String, entry: Entry)] {
        entries.map { ($0.key, $0.value) }.sorted { $0.1.seconds > $1.1.seconds }
    }
}
