#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Files that are either old or new, never half.
enum AtomicFile {
    /// Writes the bytes beside `path`, syncs them and renames.
    ///
    /// - Throws: `FigureError.cannotWrite` with the system's reason; nothing is left behind.
    static func write(_ bytes: [UInt8], to path: String) throws {
        let beside = "\(path).\(getpid()).part"
        let descriptor = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw failure(path) }
        do {
            try writeAll(bytes, descriptor, path)
            guard fsync(descriptor) == 0 else { throw failure(path) }
        } catch {
            close(descriptor)
            unlink(beside)
            throw error
        }
        guard close(descriptor) == 0, rename(beside, path) == 0 else {
            let error = failure(path)
            unlink(beside)
            throw error
        }
    }

    private static func writeAll(_ bytes: [UInt8], _ descriptor: Int32, _ path: String) throws {
        try bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = systemWrite(descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw failure(path) }
                done += count
            }
        }
    }

    private static func failure(_ path: String) -> FigureError {
        .cannotWrite(path: path, reason: String(cString: strerror(errno)))
    }
}

/// `write(2)`; inside `AtomicFile` the name would mean its own function.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int { write(descriptor, bytes, count) }
