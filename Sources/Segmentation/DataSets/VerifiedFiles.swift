import Base
import Glibc

/// Image files that this process has decoded to their end: another look is not needed as long as they are the same.
enum VerifiedFiles {
    /// A file as it was: which one, how large, and when it was last written.
    private struct Stamp: Equatable {
        let device: UInt
        let inode: UInt
        let size: Int
        let seconds: Int
        let nanoseconds: Int

        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            (device, inode, size) = (UInt(status.st_dev), UInt(status.st_ino), Int(status.st_size))
            (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
        }
    }

    private static let lock = Lock()
    nonisolated(unsafe) private static var known: [String: Stamp] = [:]

    /// - Throws: `FileError` for an image that cannot be decoded.
    static func verify(_ path: String) throws {
        let stamp = Stamp(path)
        if let stamp, lock.held({ known[path] }) == stamp { return }
        try ImageFile.verify(path)
        if let stamp { lock.held { known[path] = stamp } }
    }
}
