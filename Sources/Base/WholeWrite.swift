import Glibc

/// Writes all bytes where the descriptor stands.
/// - Returns: 0, or the code of the error that came before the last one.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
    guard let base = bytes.baseAddress else { return 0 }
    var done = 0
    while done < bytes.count {
        let put = write(descriptor, base + done, min(bytes.count - done, 1 << 30))
        if put < 0, errno == EINTR { continue }
        guard put > 0 else { return put < 0 ? errno : ENOSPC }
        done += put
    }
    return 0
}
