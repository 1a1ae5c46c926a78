import Glibc
import Tensors

/// Whether there is memory for large data, asked before it is made: an array for which there is none ends the process.
enum Room {
    static let remedy = "use a smaller image, or a machine with more memory"
    /// Up to this size nobody asks.
    private static let small = 32 << 20

    /// - Parameters:
    ///   - bytes: that are to be allocated together.
    ///   - what: that needs them, for the message.
    /// - Throws: `FileError` without a path.
    static func ask(_ bytes: Int, for what: @autoclosure () -> String) throws {
        guard bytes > small else { return }
        if let available, bytes > available { throw refusal(bytes, what(), "\(megabytes(available)) MB are free") }
        // Limits of the process: memory that is not touched costs nothing.
        do { _ = try Buffer(byteCount: bytes) } catch { throw refusal(bytes, what(), "this process may not have them") }
    }

    private static func refusal(_ bytes: Int, _ what: String, _ why: String) -> FileError {
        FileError("", "\(what) needs \(megabytes(bytes)) MB of memory, \(why)", remedy: remedy)
    }

    private static func megabytes(_ bytes: Int) -> Int { (bytes + 999_999) / 1_000_000 }

    /// Bytes that may be had without swapping, as the kernel estimates them; nil where it says nothing.
    private static var available: Int? {
        guard let file = fopen("/proc/meminfo", "re") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(separator: " ")
            if words.first == "MemAvailable:", words.count > 1, let kilobytes = Int(words[1]) { return kilobytes << 10 }
        }
        return nil
    }
}
