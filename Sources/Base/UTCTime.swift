import Glibc

/// A time as people and files write it: "2026-11-29 00:42:07", in UTC.
public enum UTCTime {
    public static var now: String { text(time(nil)) }

    public static func text(_ seconds: time_t) -> String {
        var seconds = seconds, parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    }
}
