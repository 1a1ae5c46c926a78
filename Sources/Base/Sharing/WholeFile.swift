import Glibc

/// The bytes of small files.
enum WholeFile {
    /// At most `limit` bytes of a file, also of one whose length the system does not know.
    static func bytes(_ path: String, limit: Int = 1 << 16) throws(FileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(path, "cannot read", code: errno) }
        defer { close(descriptor) }
        return try bytes(descriptor, path, from: 0, count: limit)
    }

    /// `count` bytes, or those that there are.
    /// - Parameter path: what errors call the file.
    static func bytes(_ descriptor: Int32, _ path: String, from start: Int, count: Int) throws(FileError) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = block[done...].withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, off_t(start + done)) }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw FileError(path, "cannot read", code: errno) }
            if got == 0 { break }
            done += got
        }
        return Array(block[..<done])
    }
}
