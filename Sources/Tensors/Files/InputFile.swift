import Base
import Glibc

/// Bytes in order, of which the number is known: a file, or an entry of an archive.
protocol ByteSource: AnyObject {
    /// Bytes not read yet.
    var remaining: Int { get }
    /// Reads exactly `count` bytes.
    func read(into destination: UnsafeMutableRawPointer, count: Int) throws(FileError)
}

extension ByteSource {
    /// The next `count` bytes. For headers: the caller has capped the count.
    func bytes(_ count: Int, of what: String) throws(FileError) -> [UInt8] {
        guard count <= remaining else {
            throw FileError("", "truncated: expected \(count) bytes of \(what), got \(remaining)", remedy: "write the file again")
        }
        let scratch = try Buffer(byteCount: count)
        try read(into: scratch.pointer, count: count)
        try Memory.check(count, toHold: "a piece of it")
        return [UInt8](UnsafeRawBufferPointer(start: scratch.pointer, count: count))
    }
}

/// A regular file open for reading at any offset.
///
/// Files are read, not mapped: a mapped file that another program truncates kills the session by SIGBUS, and reading
/// straight into each tensor's own aligned memory costs one copy out of the page cache.
final class InputFile {
    let path: String
    let size: Int
    private let descriptor: Int32

    init(_ path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let code = errno
            throw FileError(path, "cannot open the file", code: code, remedy: code == ENOENT ? "check the name and the directory" : "")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw FileError(path, "expected a regular file, got a directory or a device")
        }
        self.path = path
        self.size = Int(status.st_size)
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Reads exactly `count` bytes from `offset` on.
    func read(at offset: Int, into destination: UnsafeMutableRawPointer, count: Int) throws(FileError) {
        guard offset >= 0, count >= 0, offset <= size, count <= size - offset else {
            throw FileError(
                path, "truncated: expected \(count) bytes at offset \(offset), the file has \(size)", remedy: "write the file again")
        }
        var done = 0
        while done < count {
            let got = pread(descriptor, destination + done, min(count - done, 1 << 30), off_t(offset + done))
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw FileError(path, "cannot read", code: errno) }
            guard got > 0 else { throw FileError(path, "became shorter while it was read", remedy: "write the file again") }
            done += got
        }
    }

    /// A copy of `count` bytes from `offset` on; for small pieces.
    func bytes(at offset: Int, count: Int) throws(FileError) -> [UInt8] {
        let scratch = try Buffer(byteCount: max(count, 0))
        try read(at: offset, into: scratch.pointer, count: count)
        // The copy is an array, which ends the process where there is no memory.
        try Memory.check(count, toHold: "a piece of it")
        return [UInt8](UnsafeRawBufferPointer(start: scratch.pointer, count: count))
    }

    /// The whole file.
    /// - Throws: also when it is larger than `limit`, before anything is allocated.
    static func contents(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        let file = try InputFile(path)
        guard file.size <= limit else { throw FileError(path, "expected at most \(limit) bytes, got \(file.size)") }
        return try file.bytes(at: 0, count: file.size)
    }

    /// The bytes of `range` in order.
    func section(_ range: Range<Int>) -> FileSection { FileSection(self, range) }
}

/// Part of a file, read in order.
final class FileSection: ByteSource {
    private let file: InputFile
    private var offset: Int
    private let end: Int

    init(_ file: InputFile, _ range: Range<Int>) {
        self.file = file
        offset = range.lowerBound
        end = range.upperBound
    }

    var remaining: Int { end - offset }

    func read(into destination: UnsafeMutableRawPointer, count: Int) throws(FileError) {
        guard count <= remaining else {
            throw FileError(file.path, "truncated: expected \(count) more bytes, got \(remaining)", remedy: "write the file again")
        }
        try file.read(at: offset, into: destination, count: count)
        offset += count
    }
}

/// Little-endian numbers at any alignment.
extension Array where Element == UInt8 {
    func little<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number {
        var value = Number.zero
        for index in 0..<MemoryLayout<Number>.size { value |= Number(truncatingIfNeeded: self[offset + index]) << (8 * index) }
        return value
    }

    mutating func append<Number: FixedWidthInteger>(little value: Number) {
        for index in 0..<MemoryLayout<Number>.size { append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
    }
}
