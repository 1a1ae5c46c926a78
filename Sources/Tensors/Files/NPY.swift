import Base

/// NumPy's .npy format: magic, version, a Python literal as header, raw data.
///
/// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. The header is read by a grammar of
/// exactly what NumPy writes and is never evaluated. Versions 1.0, 2.0 and 3.0; both byte orders; Fortran order is
/// rearranged to row-major. Python objects, strings, records and complex numbers are refused.
public enum NPY {
    static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
    /// Longest header that is read, bytes. NumPy itself stops at 10,000.
    static let maximumHeader = 1 << 16

    /// The array of a file; its name is "".
    /// - Throws: `FileError` naming the file and what is wrong with it.
    public static func read(_ path: String) throws(FileError) -> NamedArray {
        let file = try InputFile(path)
        do throws(FileError) { return try read(file.section(0..<file.size), name: "") } catch { throw error.at(path) }
    }

    /// Writes one array, version 1.0, row-major; whole or not at all (`AtomicFile`).
    public static func write(_ array: NamedArray, to path: String) throws(FileError) {
        try AtomicFile.write(path) { file throws(FileError) in
            try file.write(header(of: array))
            try file.write(array.buffer.pointer, count: array.buffer.byteCount)
        }
    }

    /// Magic, version and header of `array`; a multiple of 64 bytes, as NumPy pads it.
    static func header(of array: NamedArray) -> [UInt8] {
        let sizes = array.shape.map(String.init).joined(separator: ", ") + (array.shape.count == 1 ? "," : "")
        let type = array.dtype == .float32 ? "<f4" : "<i4"
        var text = Array("{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }".utf8)
        let length = (10 + text.count + 1 + 63) / 64 * 64 - 10
        text.append(contentsOf: [UInt8](repeating: 0x20, count: length - text.count - 1) + [0x0a])
        var out = magic + [1, 0]
        out.append(little: UInt16(length))
        return out + text
    }

    /// Reads an array that fills `source` to its end.
    static func read(_ source: some ByteSource, name: String) throws(FileError) -> NamedArray {
        let start = try source.bytes(8, of: "the .npy magic and version")
        guard Array(start.prefix(6)) == magic else {
            throw FileError("", "expected an .npy file, which begins with \\x93NUMPY, got other bytes", remedy: "save it with numpy.save")
        }
        guard (1...3).contains(start[6]), start[7] == 0 else {
            throw FileError("", "expected .npy version 1.0, 2.0 or 3.0, got \(start[6]).\(start[7])")
        }
        let length = start[6] == 1
            ? Int(try source.bytes(2, of: "the header's length").little(UInt16.self, at: 0))
            : Int(try source.bytes(4, of: "the header's length").little(UInt32.self, at: 0))
        guard length <= maximumHeader else { throw FileError("", "expected a header of at most \(maximumHeader) bytes, got \(length)") }
        var parser = NPYHeaderParser(try source.bytes(length, of: "the header"))
        let header = try parser.header()
        let count = try FileShape.count(header.shape, itemSize: max(header.element.size, 4))
        let bytes = count * header.element.size
        guard bytes == source.remaining else {
            let what = bytes > source.remaining ? "truncated" : "trailing bytes"
            throw FileError(
                "", "\(what): shape \(header.shape) of \(header.element.rawValue) needs \(bytes) bytes, got \(source.remaining)",
                remedy: "write the file again")
        }
        var buffer = try ElementConversion.read(header.element, count: count, bigEndian: header.bigEndian, from: source)
        if header.fortran, header.shape.count > 1, count > 0 { buffer = try rowMajor(buffer, shape: header.shape) }
        return NamedArray(name: name, dtype: header.element.target, shape: header.shape, buffer: buffer)
    }

    /// Column-major elements (the first index runs fastest) in row-major order.
    private static func rowMajor(_ source: Buffer, shape: [Int]) throws(FileError) -> Buffer {
        let result = try Buffer(byteCount: source.byteCount)
        let from = source.elements(of: UInt32.self)
        let to = result.elements(of: UInt32.self)
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in 1..<shape.count { strides[axis] = strides[axis - 1] * shape[axis - 1] }
        var index = [Int](repeating: 0, count: shape.count)
        var position = 0
        for element in 0..<to.count {
            to[element] = from[position]
            var axis = shape.count - 1
            while axis >= 0 {
                index[axis] += 1
                position += strides[axis]
                if index[axis] < shape[axis] { break }
                position -= strides[axis] * shape[axis]
                index[axis] = 0
                axis -= 1
            }
        }
        return result
    }
}

/// The grammar of the header: a dict of exactly the keys descr, fortran_order and shape.
struct NPYHeaderParser {
    struct Header {
        var element = FileElement.float32
        var bigEndian = false
        var fortran = false
        var shape: [Int] = []
    }

    private let text: [UInt8]
    private var position = 0

    init(_ text: [UInt8]) { self.text = text }

    private func failure(_ problem: String) -> FileError {
        FileError("", "the .npy header is malformed: \(problem) at its byte \(position)")
    }

    private mutating func skipSpace() { while position < text.count, text[position] == 0x20 { position += 1 } }

    private mutating func take(_ character: Character) -> Bool {
        skipSpace()
        guard position < text.count, text[position] == character.asciiValue else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Character) throws(FileError) {
        guard take(character) else { throw failure("expected '\(character)'") }
    }

    mutating func header() throws(FileError) -> Header {
        var header = Header()
        var seen = Set<String>()
        try expect("{")
        while !take("}") {
            let key = try string()
            guard seen.insert(key).inserted else { throw failure("the key '\(key)' occurs twice") }
            try expect(":")
            switch key {
            case "descr": (header.element, header.bigEndian) = try type()
            case "fortran_order": header.fortran = try boolean()
            case "shape": header.shape = try shape()
            default: throw failure("an unknown key '\(key)'")
            }
            if !take(",") {
                try expect("}")
                break
            }
        }
        guard seen.count == 3 else { throw failure("expected the keys descr, fortran_order and shape") }
        skipSpace()
        guard position == text.count || (position == text.count - 1 && text[position] == 0x0a) else { throw failure("expected its end") }
        return header
    }

    private mutating func string() throws(FileError) -> String {
        skipSpace()
        guard position < text.count, text[position] == UInt8(ascii: "'") || text[position] == UInt8(ascii: "\"") else {
            throw failure("expected a string")
        }
        let quote = text[position]
        let start = position + 1
        guard let end = text[start...].firstIndex(of: quote), end - start <= 64 else { throw failure("a string without end") }
        position = end + 1
        guard !text[start..<end].contains(UInt8(ascii: "\\")) else { throw failure("an escape in a string") }
        return String(decoding: text[start..<end], as: UTF8.self)
    }

    private mutating func boolean() throws(FileError) -> Bool {
        skipSpace()
        for (word, value) in [("True", true), ("False", false)] where text[position...].starts(with: word.utf8) {
            position += word.utf8.count
            return value
        }
        throw failure("expected True or False")
    }

    private mutating func shape() throws(FileError) -> [Int] {
        try expect("(")
        var shape: [Int] = []
        while !take(")") {
            shape.append(try integer())
            if take(",") { continue }
            // `(3)` is a number in Python, not a tuple.
            guard shape.count > 1 else { throw failure("expected ','") }
            try expect(")")
            break
        }
        return shape
    }

    private mutating func integer() throws(FileError) -> Int {
        skipSpace()
        let digits = text[position...].prefix { 0x30...0x39 ~= $0 }
        guard !digits.isEmpty else { throw failure("expected a whole number") }
        guard let value = Int(String(decoding: digits, as: UTF8.self)) else { throw failure("a size beyond 64 bits") }
        position += digits.count
        return value
    }

    private mutating func type() throws(FileError) -> (FileElement, Bool) {
        let hint = "convert it with array.astype('float32') before saving"
        skipSpace()
        guard position >= text.count || text[position] != UInt8(ascii: "[") else {
            throw FileError("", "expected an array of numbers, got records (a structured dtype)", remedy: "save each field by itself")
        }
        let descr = try string()
        let known: [String: FileElement] = [
            "f8": .float64, "f4": .float32, "f2": .float16, "i8": .int64, "u8": .uint64, "i4": .int32, "u4": .uint32, "i2": .int16,
            "u2": .uint16, "i1": .int8, "u1": .uint8, "b1": .bool,
        ]
        if let order = descr.first, "<>|".contains(order), let element = known[String(descr.dropFirst())],
            order != "|" || element.size == 1 {
            return (element, order == ">")
        }
        if descr.contains("O") {
            throw FileError(
                "", "expected an array of numbers, got Python objects (dtype \(descr)), which could run code when loaded", remedy: hint)
        }
        throw FileError("", "expected an array of real numbers, got dtype \(descr)", remedy: hint)
    }
}
