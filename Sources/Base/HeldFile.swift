import Glibc

/// A file that a process holds by the kernel's lock (`flock`), which lets go when the process ends in whatever way, and whose lines say who it is: a name and a value each.
enum HeldFile {
    /// Tries to lock a file that is open.
    /// - Returns: whether nobody else has the kernel's lock, and whether the kernel knows: a file system may have none.
    static func lock(_ descriptor: Int32, _ kind: Int32 = LOCK_EX) -> (isFree: Bool, isKnown: Bool) {
        while flock(descriptor, kind | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            return (errno != EWOULDBLOCK, false)
        }
        return (true, true)
    }

    /// What its lines say, by name.
    static func fields(_ descriptor: Int32) -> [Substring: Substring] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        var values: [Substring: Substring] = [:]
        for line in String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        return values
    }
}
