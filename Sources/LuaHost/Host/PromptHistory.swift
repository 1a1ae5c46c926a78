import Base
import CLua
import Glibc
import Tensors

/// What was typed at the prompt: for the arrow keys, and in a file for the next session.
///
/// The file is readline's with time stamps: before each entry a line of # and the seconds since 1970, so that an entry of several lines comes back
/// as one. A line of an entry that looks like a stamp gets a backslash in front.
final class PromptHistory {
    /// Lines of the file that are kept, stamps included; what is cut off is whole entries.
    static let most = 10_000

    private let path: String?
    private var last: [UInt8] = []
    /// The texts, oldest first, for what an entry that is being typed may go on with.
    private var texts: [[UInt8]] = []
    /// Whether entries go into the file.
    private var isKept = false

    init(path: String? = PromptHistory.standardPath) { self.path = path }

    /// $XDG_STATE_HOME/trellis/history; nil when there is no home to keep it in.
    private static var standardPath: String? {
        var root = Terminal.environment("XDG_STATE_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil }
        if root == nil, let home = Terminal.environment("HOME"), !home.isEmpty { root = home + "/.local/state" }
        return root.map { $0 + "/trellis/history" }
    }

    /// Reads the file, creating it for this user alone. What is no file that can be read and written is told once, and left alone.
    func open() {
        clua_history_setup(Int32(PromptHistory.most))
        guard let path else { return }
        makeFolders(path)
        do {
            let entries = PromptHistory.entries(try read(path))
            let kept = PromptHistory.newest(entries)
            for entry in kept { remember(entry.text) }
            guard access(path, W_OK) == 0 else { throw failure(path) }
            if kept.count < entries.count { try AtomicFile.write(kept.flatMap(PromptHistory.stored), to: path) }
            isKept = true
        } catch {
            tell(error)
        }
    }

    private func tell(_ error: any Error) { Terminal.error("trellis: the history is not kept: \(error)\n") }
    private func failure(_ path: String) -> HostError { HostError("\(path): \(String(cString: strerror(errno)))") }

    /// Adds an entry of one or more lines, its `keptBytes`; a repetition of the last one is left out.
    func add(_ text: String) {
        let entry = text.keptBytes
        guard entry != last else { return }
        remember(entry)
        // One entry at a time, in one piece: a crash loses nothing, and two sessions can share the file.
        guard isKept, let path else { return }
        do { try append(PromptHistory.stored(Entry(time: Int(time(nil)), text: entry)), to: path) } catch {
            isKept = false
            tell(error)
        }
    }

    /// What the newest entry that begins like `text` goes on with.
    func suggestion(for text: String) -> String? {
        let start = Array(text.utf8)
        guard !start.allSatisfy({ $0 <= 32 }) else { return nil }
        let found = texts.last { $0.count > start.count && $0.starts(with: start) }
        return found.flatMap { String(validating: $0[start.count...], as: UTF8.self) }
    }

    private func remember(_ text: [UInt8]) {
        last = text
        texts.append(text)
        (text + [0]).withUnsafeBytes { clua_history_add($0.baseAddress?.assumingMemoryBound(to: CChar.self)) }
    }

    // MARK: The format

    struct Entry: Equatable {
        var time: Int
        var text: [UInt8]
    }

    /// The entries that prompts have left, oldest first, as text; none where there is no file that can be read.
    static func texts() -> [String] {
        guard let path = standardPath, let bytes = try? Files.contents(path, limit: 1 << 26) else { return [] }
        return newest(entries(bytes)).map { String(decoding: $0.text, as: UTF8.self) }
    }

    /// Entries of a file. Lines before the first stamp, as other programs write them, are an entry each.
    static func entries(_ bytes: [UInt8]) -> [Entry] {
        var found: [Entry] = []
        var time: Int?
        var lines: [ArraySlice<UInt8>] = []
        func close() {
            if let time, !lines.isEmpty { found.append(Entry(time: time, text: Array(lines.joined(separator: [newline])))) }
            lines = []
        }
        for line in bytes.split(separator: newline, omittingEmptySubsequences: false).dropLast(bytes.last == newline ? 1 : 0) {
            if let stamp = stamp(line) {
                close()
                time = stamp
            } else if time != nil {
                lines.append(isEscaped(line) ? line.dropFirst() : line)
            } else if !line.isEmpty {
                found.append(Entry(time: 0, text: Array(line)))
            }
        }
        close()
        return found
    }

    /// An entry as the file has it.
    static func stored(_ entry: Entry) -> [UInt8] {
        var bytes = Array("#\(entry.time)\n".utf8)
        for line in entry.text.split(separator: newline, omittingEmptySubsequences: false) {
            if stamp(line.drop { $0 == backslash }) != nil { bytes.append(backslash) }
            bytes += line + [newline]
        }
        return bytes
    }

    /// The last entries that together have no more lines than are kept; the last one in any case.
    static func newest(_ entries: [Entry]) -> ArraySlice<Entry> {
        var lines = 0, first = entries.count
        while first > 0 {
            lines += 2 + entries[first - 1].text.count { $0 == newline }
            if lines > most, first < entries.count { break }
            first -= 1
        }
        return entries[first...]
    }

    private static let newline = UInt8(ascii: "\n"), backslash = UInt8(ascii: "\\")

    /// The seconds of a stamp: # and digits.
    private static func stamp(_ line: ArraySlice<UInt8>) -> Int? {
        guard line.first == UInt8(ascii: "#") else { return nil }
        return Int(String(decoding: line.dropFirst(), as: UTF8.self)).flatMap { $0 >= 0 && line.dropFirst().allSatisfy { (48...57).contains($0) } ? $0 : nil }
    }

    /// Whether a line is one that looked like a stamp, with backslashes in front.
    private static func isEscaped(_ line: ArraySlice<UInt8>) -> Bool {
        line.first == backslash && stamp(line.drop { $0 == backslash }) != nil
    }

    // MARK: The file

    private func makeFolders(_ path: String) {
        var folder = ""
        for part in path.split(separator: "/").dropLast() {
            folder += "/" + part
            mkdir(folder, 0o700)  // parents that are there stay as they are
        }
    }

    /// Opens a regular file; a pipe or a device would wait, or never end.
    private func open(_ path: String, _ flags: Int32) throws -> Int32 {
        let file = Glibc.open(path, flags | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0o600)
        guard file >= 0 else { throw failure(path) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(file)
            throw HostError("\(path) is no regular file")
        }
        return file
    }

    private func read(_ path: String) throws -> [UInt8] {
        let file = try open(path, access(path, F_OK) == 0 && access(path, W_OK) != 0 ? O_RDONLY : O_RDWR)
        defer { close(file) }
        fchmod(file, 0o600)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            guard count >= 0 else { throw failure(path) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    private func append(_ bytes: [UInt8], to path: String) throws {
        let file = try open(path, O_RDWR | O_APPEND)
        defer { close(file) }
        // Behind a line that a full disk has cut off a new one begins.
        var end: UInt8 = 0
        let size = lseek(file, 0, SEEK_END)
        let isCut = size > 0 && pread(file, &end, 1, size - 1) == 1 && end != UInt8(ascii: "\n")
        let whole = (isCut ? [UInt8(ascii: "\n")] : []) + bytes
        guard Glibc.write(file, whole, whole.count) == whole.count else { throw failure(path) }
    }
}
