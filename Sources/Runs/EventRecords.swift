import Base
import Tensors

/// Records of a TFRecord file, one behind the other: length (UInt64), its masked CRC-32C, the bytes, theirs; all little-endian.
enum EventRecords {
    /// A record as it stands in the file.
    static func framed(_ record: [UInt8]) -> [UInt8] {
        let length = bytes(UInt64(record.count))
        return length + bytes(CRC32C.masked(length)) + record + bytes(CRC32C.masked(record))
    }

    /// Calls `body` with each record of a file. What a killed writer left of a last one is passed over.
    /// - Throws: `FileError` where a checksum does not fit.
    static func read(_ path: String, _ body: (ArraySlice<UInt8>) throws -> Void) throws {
        let all = try Files.contents(path)
        var at = 0
        while at + 12 <= all.count {
            let length = number(all[at..<at + 8])
            guard CRC32C.masked(all[at..<at + 8]) == UInt32(number(all[at + 8..<at + 12])) else { throw damaged(path, at) }
            let start = at + 12
            guard length <= UInt64(all.count), start + Int(length) + 4 <= all.count else { return }
            let end = start + Int(length)
            guard CRC32C.masked(all[start..<end]) == UInt32(number(all[end..<end + 4])) else { throw damaged(path, at) }
            try body(all[start..<end])
            at = end + 4
        }
    }

    private static func damaged(_ path: String, _ offset: Int) -> FileError {
        FileError(path, "the record at byte \(offset) does not have the checksum that stands beside it", remedy: "the file is damaged; move it away")
    }

    private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
}
