import CKernels

/// The memory of this process: what tensors hold, and what can still be had.
public enum Memory {
    /// Bytes held by live tensors, and the most that ever were.
    public static var live: Int { Int(trellis_memory_live()) }
    public static var peak: Int { Int(trellis_memory_peak()) }
    public static func resetPeak() { trellis_memory_reset_peak() }

    /// For memory that readers of files and makers of data take as arrays: asks before it is taken.
    /// - Parameter what: what is to be held, for the message.
    /// - Throws: `FileError` without a path.
    public static func check(_ bytes: Int, toHold what: @autoclosure () -> String) throws(FileError) {
        if bytes <= 1 << 16 || trellis_memory_admits(bytes) { return }
        let (problem, remedy) = shortage(bytes)
        throw FileError("", "\(what()) \(problem)", remedy: remedy)
    }

    /// What errors say of bytes that cannot be had, and what to do.
    public static func shortage(_ bytes: Int) -> (problem: String, remedy: String) {
        let now = trellis_memory_room()
        let (limit, remedy) =
            switch Int(now.limit) {
            case TRELLIS_LIMIT_ADDRESS_SPACE: ("by the limit of address space, ulimit -v", ", or raise the limit")
            case TRELLIS_LIMIT_DATA: ("by the limit of data, ulimit -d", ", or raise the limit")
            case TRELLIS_LIMIT_GROUP: ("by the limit of the control group", ", or raise the limit")
            default: ("of this machine's memory", "")
            }
        return ("needs \(text(Double(bytes))), \(text(Double(now.bytes))) can be had (\(limit))", "use a smaller batch, image or network\(remedy)")
    }

    /// "2.1 GB", "340 MB".
    public static func text(_ bytes: Double) -> String {
        let (size, unit) = bytes >= 1e9 ? (bytes / 1e9, "GB") : (bytes / 1e6, "MB")
        if size >= 1e6 { return "\(Float(size)) \(unit)" }
        return size >= 100 ? "\(Int(size.rounded(.up))) \(unit)" : "\((size * 10).rounded(.up) / 10) \(unit)"
    }
}
