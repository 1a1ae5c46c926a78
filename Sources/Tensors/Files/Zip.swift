import Base
import CZlib

/// The part of ZIP that .npz files use: stored and deflated entries, with or without ZIP64.
///
/// Source: PKWARE APPNOTE.TXT 6.3. The directory at the end decides; each entry's local header must agree with it.
/// Refused: encryption, other methods, entries that overlap (the bomb that expands one stretch of data many times),
/// entries that claim to expand more than deflate can, and archives beyond the size limit.
struct ZipArchive {
    struct Entry {
        var name: String
        var deflated: Bool
        var checksum: UInt32
        /// Bytes in the file and after expansion.
        var compressed: Int
        var size: Int
        /// Offset of the entry's local header.
        var header: Int
        /// Offset of the entry's data; found from the local header.
        var data = 0
    }

    let file: InputFile
    let entries: [Entry]

    /// Entries of more than this are no directory of arrays.
    static let maximumEntries = 1 << 20
    /// Deflate turns 258 bytes into 2 bits at best.
    static let maximumRatio = 1032

    /// - Parameter limit: most bytes that all entries together may expand to.
    init(_ file: InputFile, limit: Int) throws(FileError) {
        self.file = file
        var reader = ZipDirectory(file)
        var entries = try reader.entries()
        var total = 0
        var names = Set<String>()
        for index in entries.indices {
            let entry = entries[index]
            guard names.insert(entry.name).inserted else { throw FileError("", "the entry \"\(entry.name)\" occurs twice") }
            guard entry.deflated || entry.compressed == entry.size else {
                throw FileError("", "the stored entry \"\(entry.name)\" has \(entry.compressed) bytes, expected \(entry.size)")
            }
            guard !entry.deflated || entry.size / ZipArchive.maximumRatio <= entry.compressed else {
                throw FileError(
                    "", "the entry \"\(entry.name)\" claims to expand from \(entry.compressed) to \(entry.size) bytes, "
                        + "more than deflate can")
            }
            let (sum, overflow) = total.addingReportingOverflow(entry.size)
            guard !overflow, sum <= limit else {
                throw FileError(
                    "", "its entries expand to more than the limit of \(limit) bytes", remedy: "save the arrays to smaller files")
            }
            total = sum
            entries[index].data = try reader.locate(entry)
        }
        // Every entry owns its bytes alone.
        var end = 0
        for entry in entries.sorted(by: { $0.header < $1.header }) {
            guard entry.header >= end else { throw FileError("", "the entry \"\(entry.name)\" overlaps the one before it") }
            end = entry.data + entry.compressed
        }
        guard end <= reader.directoryStart else { throw FileError("", "an entry overlaps the directory") }
        self.entries = entries
    }

    /// The expanded bytes of an entry in order. Call `finish` after the last.
    func open(_ entry: Entry) throws(FileError) -> ZipEntryStream {
        try ZipEntryStream(file.section(entry.data..<entry.data + entry.compressed), entry)
    }
}

/// Finds and reads the directory at the end of an archive.
private struct ZipDirectory {
    let file: InputFile
    private(set) var directoryStart = 0

    init(_ file: InputFile) { self.file = file }

    private func broken(_ problem: String) -> FileError {
        FileError("", "not a usable ZIP archive: \(problem)", remedy: "write the file again with numpy.savez")
    }

    /// Count, size and offset of the directory, from the end record (ZIP64 where the short fields overflow).
    private mutating func end() throws(FileError) -> (count: Int, size: Int, start: Int) {
        let length = min(file.size, 22 + 0xffff)
        guard length >= 22 else { throw broken("it has only \(file.size) bytes") }
        let tail = try file.bytes(at: file.size - length, count: length)
        // The record whose comment ends exactly with the file.
        var found: Int?
        for at in stride(from: length - 22, through: 0, by: -1)
        where tail.little(UInt32.self, at: at) == 0x0605_4b50 && Int(tail.little(UInt16.self, at: at + 20)) == length - at - 22 {
            found = at
            break
        }
        guard let at = found else { throw broken("no directory at its end (truncated?)") }
        guard tail.little(UInt32.self, at: at + 4) == 0 else { throw broken("split over several files") }
        var count = Int(tail.little(UInt16.self, at: at + 10))
        var size = Int(tail.little(UInt32.self, at: at + 12))
        var start = Int(tail.little(UInt32.self, at: at + 16))
        var limit = file.size - length + at
        if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
            let locator = limit - 20
            guard locator >= 0 else { throw broken("no ZIP64 locator") }
            let bytes = try file.bytes(at: locator, count: 20)
            guard bytes.little(UInt32.self, at: 0) == 0x0706_4b50, let record = Int(exactly: bytes.little(UInt64.self, at: 8)),
                record <= locator - 56, record >= 0
            else { throw broken("no ZIP64 locator") }
            let long = try file.bytes(at: record, count: 56)
            guard long.little(UInt32.self, at: 0) == 0x0606_4b50, let n = Int(exactly: long.little(UInt64.self, at: 32)),
                let s = Int(exactly: long.little(UInt64.self, at: 40)), let o = Int(exactly: long.little(UInt64.self, at: 48))
            else { throw broken("a damaged ZIP64 record") }
            (count, size, start, limit) = (n, s, o, record)
        }
        guard start <= limit, size <= limit - start else { throw broken("the directory lies outside the file") }
        guard count <= ZipArchive.maximumEntries, count * 46 <= size else {
            throw broken("\(count) entries in a directory of \(size) bytes")
        }
        return (count, size, start)
    }

    mutating func entries() throws(FileError) -> [ZipArchive.Entry] {
        let (count, size, start) = try end()
        directoryStart = start
        let bytes = try file.bytes(at: start, count: size)
        var entries: [ZipArchive.Entry] = []
        var at = 0
        for _ in 0..<count {
            guard at + 46 <= size, bytes.little(UInt32.self, at: at) == 0x0201_4b50 else { throw broken("a damaged directory") }
            let nameLength = Int(bytes.little(UInt16.self, at: at + 28))
            let extraLength = Int(bytes.little(UInt16.self, at: at + 30))
            let commentLength = Int(bytes.little(UInt16.self, at: at + 32))
            let next = at + 46 + nameLength + extraLength + commentLength
            guard next <= size else { throw broken("a damaged directory") }
            guard let name = String(validating: bytes[at + 46..<at + 46 + nameLength], as: UTF8.self) else {
                throw broken("an entry whose name is not UTF-8")
            }
            let flags = bytes.little(UInt16.self, at: at + 8)
            guard flags & 0x2041 == 0 else { throw FileError("", "the entry \"\(name)\" is encrypted") }
            let method = bytes.little(UInt16.self, at: at + 10)
            guard method == 0 || method == 8 else {
                throw FileError("", "the entry \"\(name)\" has compression method \(method), expected 0 (stored) or 8 (deflate)")
            }
            var sizes = [24, 20, 42].map { UInt64(bytes.little(UInt32.self, at: at + $0)) }
            try widen(&sizes, Array(bytes[at + 46 + nameLength..<at + 46 + nameLength + extraLength]), name)
            guard let full = Int(exactly: sizes[0]), let packed = Int(exactly: sizes[1]), let header = Int(exactly: sizes[2]) else {
                throw broken("sizes beyond 63 bits")
            }
            entries.append(.init(
                name: name, deflated: method == 8, checksum: bytes.little(UInt32.self, at: at + 16), compressed: packed, size: full,
                header: header))
            at = next
        }
        guard at == size else { throw broken("\(size - at) unexplained bytes in the directory") }
        return entries
    }

    /// Replaces fields of all ones by those of the ZIP64 extra field, which holds only those, in order.
    private func widen(_ sizes: inout [UInt64], _ extra: [UInt8], _ name: String) throws(FileError) {
        guard sizes.contains(0xffff_ffff) else { return }
        var at = 0
        while at + 4 <= extra.count {
            let length = Int(extra.little(UInt16.self, at: at + 2))
            guard at + 4 + length <= extra.count else { break }
            if extra.little(UInt16.self, at: at) == 1 {
                var field = at + 4
                for index in sizes.indices where sizes[index] == 0xffff_ffff {
                    guard field + 8 <= at + 4 + length else { throw broken("a short ZIP64 field of \"\(name)\"") }
                    sizes[index] = extra.little(UInt64.self, at: field)
                    field += 8
                }
                return
            }
            at += 4 + length
        }
        throw broken("no ZIP64 field for \"\(name)\"")
    }

    /// Offset of the entry's data, past the local header, which must name the same entry and method.
    func locate(_ entry: ZipArchive.Entry) throws(FileError) -> Int {
        guard entry.header <= directoryStart - 30 else { throw broken("the entry \"\(entry.name)\" lies outside the file") }
        let local = try file.bytes(at: entry.header, count: 30)
        let nameLength = Int(local.little(UInt16.self, at: 26))
        let data = entry.header + 30 + nameLength + Int(local.little(UInt16.self, at: 28))
        guard local.little(UInt32.self, at: 0) == 0x0403_4b50, local.little(UInt16.self, at: 8) == (entry.deflated ? 8 : 0),
            data <= directoryStart, entry.compressed <= directoryStart - data,
            try file.bytes(at: entry.header + 30, count: nameLength) == Array(entry.name.utf8)
        else { throw broken("the entry \"\(entry.name)\" does not match the directory") }
        return data
    }
}
