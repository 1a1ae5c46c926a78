import Base

/// The safetensors format: `u64 N | N bytes of JSON | tensors`, row-major and little-endian.
///
/// Source: https://github.com/huggingface/safetensors, README and `tensor.rs`. The reader is as strict as theirs and
/// stricter: header of at most 100 MB that begins with `{`, no duplicate names, sizes that match their shapes (checked
/// for overflow), and tensors that tile the rest of the file without gap, overlap or remainder.
public enum SafeTensors {
    /// Longest header that is read, bytes.
    public static let maximumHeader = 100_000_000

    /// What a file says about itself, without its data.
    public struct Header: Sendable {
        /// The `__metadata__` table.
        public var metadata: [String: String]
        /// Tensors in the order of their data.
        public var entries: [Entry]
        /// Offset of the first tensor's bytes in the file.
        var dataStart: Int
        /// CRC-32 of each tensor's bytes, in the order of `entries`; nil in a file without checksums.
        var checksums: [UInt32]?
    }

    /// A tensor of the file.
    public struct Entry: Sendable {
        public var name: String
        public var shape: [Int]
        /// What it is read as.
        public var dtype: ElementType { element.target }
        var element: FileElement
        /// Bytes from `Header.dataStart` on.
        var range: Range<Int>
    }

    /// All tensors in the order of the file, and the metadata. Where the file has checksums they are checked.
    /// - Parameter expectsChecksums: say a word when it has none: it should be one that was written with them.
    /// - Throws: `FileError` naming the file and what is wrong with it.
    public static func read(
        _ path: String, expectsChecksums: Bool = false
    ) throws(FileError) -> (arrays: [NamedArray], metadata: [String: String]) {
        try read(path, expectsChecksums: expectsChecksums) { _ in true }
    }

    /// The tensors whose name `wanted` accepts; the others' data is not touched.
    public static func read(
        _ path: String, expectsChecksums: Bool = false, where wanted: (String) -> Bool
    ) throws(FileError) -> (arrays: [NamedArray], metadata: [String: String]) {
        let file = try InputFile(path)
        let header = try parse(file)
        if expectsChecksums, header.checksums == nil { SafeTensorsChecksums.missing(path) }
        var arrays: [NamedArray] = []
        for (place, entry) in header.entries.enumerated() where wanted(entry.name) {
            let start = header.dataStart + entry.range.lowerBound
            let section = file.section(start..<header.dataStart + entry.range.upperBound)
            let count = entry.range.count / entry.element.size
            do throws(FileError) {
                let buffer = try ElementConversion.read(entry.element, count: count, from: section)
                if let sum = header.checksums?[place] { try SafeTensorsChecksums.check(buffer, sum) }
                arrays.append(NamedArray(name: entry.name, dtype: entry.dtype, shape: entry.shape, buffer: buffer))
            } catch {
                throw FileError(path, "tensor \"\(entry.name)\": \(error.problem)", remedy: error.remedy)
            }
        }
        return (arrays, header.metadata)
    }

    /// Names, types, shapes and metadata only.
    public static func header(_ path: String) throws(FileError) -> Header { try parse(try InputFile(path)) }

    /// Writes `arrays`; the file appears whole or the previous one stays (`AtomicFile`).
    ///
    /// Order and padding are those of the reference implementation: float32 before int32, then by name; the header is
    /// padded with spaces to a multiple of 8. The same arrays give the same bytes.
    /// - Parameter checksums: whether the metadata gets them: checkpoints and model files have them, so that reading finds damage.
    public static func write(
        _ arrays: [NamedArray], metadata: [String: String] = [:], checksums: Bool = false, to path: String
    ) throws(FileError) {
        let sorted = arrays.sorted { ($0.dtype == .int32 ? 1 : 0, $0.name) < ($1.dtype == .int32 ? 1 : 0, $1.name) }
        var metadata = metadata
        if checksums { metadata[SafeTensorsChecksums.key] = SafeTensorsChecksums.text(sorted) }
        // Its text, as it is put together, and the bytes of the header that it becomes.
        try Memory.check(6 * metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }, toHold: "the header")
        let header = try encode(sorted, metadata: metadata, isSealed: checksums).at(path)
        try AtomicFile.write(path) { file throws(FileError) in
            try file.write(header)
            for array in sorted { try file.write(array.buffer.pointer, count: array.buffer.byteCount) }
        }
    }

    /// Length and header.
    private static func encode(_ arrays: [NamedArray], metadata: [String: String], isSealed: Bool) -> Result<[UInt8], FileError> {
        var members: [JSONValue.Member] = []
        if !metadata.isEmpty {
            let table = metadata.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .string($0.value)) }
            members.append(.init("__metadata__", .object(table)))
        }
        var offset = 0
        var names = Set<String>(["__metadata__"])
        for array in arrays {
            guard names.insert(array.name).inserted else {
                return .failure(FileError("", "cannot save two tensors named \"\(array.name)\"", remedy: "name each once"))
            }
            let end = offset + array.buffer.byteCount
            members.append(.init(array.name, .object([
                .init("dtype", .string(array.dtype == .float32 ? "F32" : "I32")),
                .init("shape", .array(array.shape.map { .integer($0) })),
                .init("data_offsets", .array([.integer(offset), .integer(end)])),
            ])))
            offset = end
        }
        var header = Array(JSONValue.object(members).text().utf8)
        header.append(contentsOf: [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8))
        guard header.count <= maximumHeader else {
            return .failure(FileError("", "the header would have \(header.count) bytes, more than the \(maximumHeader) the format allows"))
        }
        if isSealed { SafeTensorsChecksums.seal(&header) }
        var out: [UInt8] = []
        out.append(little: UInt64(header.count))
        return .success(out + header)
    }
}

extension Result where Failure == FileError {
    /// The value, or the error with `path` filled in.
    func at(_ path: String) throws(FileError) -> Success {
        switch self {
        case .success(let value): return value
        case .failure(let error): throw error.at(path)
        }
    }
}
