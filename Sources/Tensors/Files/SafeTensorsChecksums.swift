import Base

/// Checksums of checkpoints and model files, so that a file that has changed on its way is an error and not another network.
///
/// They are CRC-32s, as zip files have them (2 GB/s on one core), in the metadata under `trellis.crc32`: of the header, with the digits of
/// this first sum taken as zeros, then of each tensor's bytes in the order of the data; eight digits each, spaces between. Other programs
/// read such a file as any other.
enum SafeTensorsChecksums {
    static let key = "trellis.crc32"
    private static let unknown = "00000000"

    private static func digits(_ sum: UInt32) -> String {
        let text = String(sum, radix: 16)
        return String(repeating: "0", count: 8 - text.count) + text
    }

    // MARK: Writing

    /// What the metadata holds until the header is complete.
    static func text(_ arrays: [NamedArray]) -> String {
        ([unknown] + arrays.map { digits(Checksum.crc32($0.buffer.pointer, count: $0.buffer.byteCount)) }).joined(separator: " ")
    }

    /// Puts the header's own sum into its place.
    static func seal(_ header: inout [UInt8]) {
        guard let place = place(in: header) else { return }
        header.replaceSubrange(place, with: Array(digits(Checksum.crc32(header)).utf8))
    }

    /// Where the header's own sum stands. In a string of the header the quotes would have backslashes before them.
    private static func place(in header: [UInt8]) -> Range<Int>? {
        let mark = Array("\"\(key)\":\"".utf8)
        guard header.count >= mark.count + unknown.utf8.count else { return nil }
        for start in 0...(header.count - mark.count - unknown.utf8.count) where header[start] == mark[0] && header[start...].starts(with: mark) {
            return (start + mark.count)..<(start + mark.count + unknown.utf8.count)
        }
        return nil
    }

    // MARK: Reading

    /// Takes the sums out of a header's metadata and checks the header by its own.
    /// - Returns: the sums of the tensors in the order of the data; nil for a file without.
    /// - Throws: `FileError` without path when the header has changed since it was written.
    static func open(_ metadata: inout [String: String], header: [UInt8], tensors: Int) throws(FileError) -> [UInt32]? {
        guard let text = metadata.removeValue(forKey: key) else {
            // The name may be what was hit.
            guard tensors == 0 || !metadata.values.contains(where: { sums($0)?.count == tensors + 1 }) else { throw damaged("the header") }
            return nil
        }
        guard let sums = sums(text), sums.count == tensors + 1 else { throw damaged("the header") }
        // A program that wrote the header anew, with other spaces, has changed its sum: then the tensors' remain.
        if let place = place(in: header) {
            var plain = header
            plain.replaceSubrange(place, with: Array(unknown.utf8))
            guard Checksum.crc32(plain) == sums[0] else { throw damaged("the header") }
        }
        return Array(sums.dropFirst())
    }

    /// The sums of a text; nil when it is none of eight digits each, as `digits` writes them.
    private static func sums(_ text: String) -> [UInt32]? {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        let sums = words.compactMap { word in UInt32(word, radix: 16).flatMap { digits($0) == word ? $0 : nil } }
        return sums.count == words.count ? sums : nil
    }

    static func check(_ buffer: Buffer, _ sum: UInt32) throws(FileError) {
        guard Checksum.crc32(buffer.pointer, count: buffer.byteCount) == sum else { throw damaged("the data") }
    }

    private static func damaged(_ what: String) -> FileError {
        FileError("", "damaged: \(what) differs from what was written, by its checksum", remedy: "fetch the file again, or use an earlier one")
    }

    /// The word about a file without checksums where there should be some.
    static func missing(_ path: String) {
        Notice.say("\(path): no checksums: an earlier version or another program wrote it, so whether it is whole cannot be told")
    }
}
