import Base
import Tensors

/// What tells a run from all others: its settings, what it learns from and the weights that it begins with, as a number.
///
/// It is made when a run begins and kept in its checkpoint and its networks, so that what belongs to different runs is never taken together.
/// Runs that begin alike are the same run, bit for bit, and have the same identity. A log has none: it is a run's when its rows are.
public enum RunIdentity {
    /// Sixteen hexadecimal digits.
    /// - Parameters:
    ///   - text: settings and sources in words.
    ///   - state: parameters and buffers at the start.
    public static func make(_ text: String, _ state: [Module.Named] = []) throws -> String {
        var fingerprint = Fingerprint()
        fingerprint.add(text)
        for (name, tensor) in state {
            fingerprint.add("\n\(name)\(tensor.shape)")
            fingerprint.add("\(try tensor.withBytes { bytes in bytes.baseAddress.map { Checksum.crc32($0, count: bytes.count) } ?? 0 })")
        }
        return fingerprint.text
    }
}
