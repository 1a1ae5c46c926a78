import Glibc

/// A text file of lines that processes append to in turn, and of which all read the same: each line begins with a hash of itself and of the line before.
///
/// Only what continues the chain counts. A line that was not written to its end, bytes that a disk lost and a line of a process that did not know the last one continue
/// nothing and are passed over by every reader alike, with a word. So nothing that is read is ever half of a line, and two processes that append at once cannot mix
/// anything up: one of the two lines counts, and its writer is told. A process that remembers lines that the file has lost writes them again.
///
/// `append` and `refresh` are for one process at a time (`LinkLock`).
public final class ChainedFile {
    /// What `refresh` found.
    public enum Change: Equatable {
        /// These came behind what was known.
        case more([String])
        /// The file is not the one that was known: all of it.
        case all([String])
    }

    public let path: String
    /// The texts that count, in order.
    public private(set) var texts: [String] = []
    /// The hash of each.
    private var hashes: [String] = []
    /// Where the bytes end that were read.
    private var end = 0
    /// Where the last line that counts begins, with its hash.
    private var last = 0

    /// The file is made at the first `append`.
    public init(_ path: String) { self.path = path }

    // MARK: Reading

    /// Whether the file has another length than it had at the last `refresh` or `append`.
    public var hasChanged: Bool {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) != end : end != 0
    }

    /// Reads what others appended.
    /// - Throws: `FileError` for a file that cannot be read; or, where lines were lost, written.
    public func refresh() throws(FileError) -> Change {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw FileError(path, "cannot read", code: errno) }
            if texts.isEmpty { return .more([]) }
            let (known, before) = (texts, hashes)
            (texts, hashes, end, last) = ([], [], 0, 0)
            Notice.say("\(path): is gone; this process writes its \(known.count) lines again")
            try restore(known, before)
            return .more([])
        }
        defer { close(descriptor) }
        if try isAsKnown(descriptor), let new = try readOn(descriptor) { return .more(new) }
        return try readAll(descriptor)
    }

    /// Whether the last line that counts is still where it was.
    private func isAsKnown(_ descriptor: Int32) throws(FileError) -> Bool {
        guard let hash = hashes.last else { return end == 0 }
        guard try size(descriptor) >= end else { return false }
        return try bytes(descriptor, from: last, count: hash.utf8.count) == Array(hash.utf8)
    }

    /// - Returns: nil when what follows does not continue the chain as it is known here.
    private func readOn(_ descriptor: Int32) throws(FileError) -> [String]? {
        let block = try bytes(descriptor, from: end, count: try size(descriptor) - end)
        let read = ChainedFile.lines(block, at: end, after: hashes.last ?? "")
        guard read.strange == 0 else { return nil }
        take(read)
        return read.lines.map(\.text)
    }

    private func readAll(_ descriptor: Int32) throws(FileError) -> Change {
        let (known, before) = (texts, hashes)
        let read = ChainedFile.lines(try bytes(descriptor, from: 0, count: try size(descriptor)), at: 0, after: "")
        (texts, hashes, end, last) = ([], [], 0, 0)
        take(read)
        let common = zip(hashes, before).prefix { $0 == $1 }.count
        if common == before.count { return .more(Array(texts[common...])) }
        guard common == hashes.count else { return .all(texts) }
        Notice.say("\(path): lost \(known.count - common) lines, which this process writes again")
        try restore(known, before)
        return .more([])
    }

    /// Writes those lines again that only this process knows. Where that fails they stay known.
    private func restore(_ known: [String], _ before: [String]) throws(FileError) {
        do { for text in known[texts.count...] { try append(text) } } catch {
            (texts, hashes) = (known, before)
            throw error
        }
    }

    private func take(_ read: Lines) {
        if read.strange > 0 {
            Notice.say("\(path): \(read.strange == 1 ? "a line is" : "\(read.strange) lines are") damaged or continue nothing, and do not count; what stands before them does")
        }
        for line in read.lines {
            texts.append(line.text)
            hashes.append(line.hash)
            last = line.place
        }
        end = read.end
    }

    private struct Lines {
        var lines: [(text: String, hash: String, place: Int)] = []
        /// Lines that do not count.
        var strange = 0
        /// Behind the last newline.
        var end: Int
    }

    private static func lines(_ block: [UInt8], at start: Int, after hash: String) -> Lines {
        var (read, hash, from) = (Lines(end: start), hash, 0)
        while let newline = block[from...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = block[from..<newline]
            if let text = text(line, after: hash) {
                hash = String(decoding: line.prefix(hashLength), as: UTF8.self)
                read.lines.append((text, hash, start + from))
            } else if !line.isEmpty {
                read.strange += 1
            }
            from = newline + 1
        }
        read.end = start + from
        return read
    }

    private static let hashLength = 16

    /// What a line says; nil when it does not continue the chain.
    private static func text(_ line: ArraySlice<UInt8>, after hash: String) -> String? {
        guard line.count > hashLength, let text = String(validating: line.dropFirst(hashLength + 1), as: UTF8.self) else { return nil }
        return line.prefix(hashLength + 1).elementsEqual((ChainedFile.hash(text, after: hash) + " ").utf8) ? text : nil
    }

    private static func hash(_ text: String, after hash: String) -> String {
        var fingerprint = Fingerprint()
        fingerprint.add(hash)
        fingerprint.add(text)
        return fingerprint.text
    }

    // MARK: Writing

    /// Appends a text without newlines, and has it on the disk when it returns.
    /// - Returns: false when another process appended at the same time, so that the line does not count: `refresh` says what is new.
    /// - Throws: `FileError`; the file counts as before then, and what was read of it stays.
    @discardableResult
    public func append(_ text: String) throws(FileError) -> Bool {
        precondition(!text.utf8.contains(UInt8(ascii: "\n")))
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileError(path, "cannot write", code: errno, remedy: "choose a directory you may write to") }
        defer { close(descriptor) }
        let hash = ChainedFile.hash(text, after: hashes.last ?? "")
        try write(try startsLine(descriptor) + Array((hash + " " + text + "\n").utf8), to: descriptor)
        let size = try size(descriptor)
        let read = ChainedFile.lines(try bytes(descriptor, from: end, count: size - end), at: end, after: hashes.last ?? "")
        guard read.lines.count == 1, read.lines[0].hash == hash else { return false }
        take(read)
        return true
    }

    /// A newline where the last line was not written to its end.
    private func startsLine(_ descriptor: Int32) throws(FileError) -> [UInt8] {
        let size = try size(descriptor)
        guard size > 0 else { return [] }
        return try bytes(descriptor, from: size - 1, count: 1) == [UInt8(ascii: "\n")] ? [] : [UInt8(ascii: "\n")]
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32) throws(FileError) {
        let code = bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
        if code != 0 { throw failure(code) }
        guard fsync(descriptor) == 0 else { throw failure(errno) }
    }

    private func failure(_ code: Int32) -> FileError {
        let isFull = code == ENOSPC || code == EDQUOT || code == EFBIG
        return FileError(path, "cannot write", code: code, remedy: "what was written before is kept" + (isFull ? "; free some space and go on" : ""))
    }

    // MARK: Bytes

    private func size(_ descriptor: Int32) throws(FileError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(path, "cannot read", code: errno) }
        return Int(status.st_size)
    }

    private func bytes(_ descriptor: Int32, from start: Int, count: Int) throws(FileError) -> [UInt8] {
        try WholeFile.bytes(descriptor, path, from: start, count: max(0, count))
    }
}
