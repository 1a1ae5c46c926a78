import Base
import Glibc

/// Seconds, and their text.
enum Clock {
    static var now: Double { monotonicSeconds() }
    /// Of all threads of the process.
    static var processor: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// "1.23 s", "45.6 ms", "789 ns".
    static func text(_ seconds: Double) -> String {
        let units: [(Double, String)] = [(1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")]
        let (unit, name) = units.first { seconds >= $0.0 } ?? units[3]
        let value = seconds / unit
        return "\(value < 10 ? rounded(value, 100) : value < 100 ? rounded(value, 10) : rounded(value, 1)) \(name)"
    }

    private static func rounded(_ value: Double, _ steps: Double) -> String {
        let number = (value * steps).rounded() / steps
        return steps == 1 ? "\(Int(number))" : "\(number)"
    }

    private static let runs = 7

    /// Calls `body` in several runs that take about so many seconds in all. "1.2 µs ± 0.05 µs a call (7 runs of 100000 calls, the fastest 1.15 µs)".
    static func measure(_ seconds: Double, _ body: () throws -> Void) throws -> String {
        func run(_ count: Int) throws -> Double {
            let start = now
            for _ in 0..<count { try body() }
            return now - start
        }
        // The first call may compile or allocate. Then as many calls a run as its share of the time holds.
        var count = 1
        _ = try run(1)
        var spent = try run(1)
        let share = seconds / Double(runs)
        while spent < share / 10, count < 1 << 30 {
            count *= 4
            spent = try run(count)
        }
        count = max(1, Int(Double(count) * share / max(spent, 1e-9)))
        let times = try (0..<runs).map { _ in try run(count) / Double(count) }.sorted()
        let median = times[runs / 2], distances = times.map { abs($0 - median) }.sorted()
        return "\(text(median)) ± \(text(distances[runs / 2])) a call (\(runs) runs of \(count) call\(count == 1 ? "" : "s"), the fastest \(text(times[0])))"
    }
}
