import Base

/// Checks of the header. Everything here has come from a file and is not to be trusted.
extension SafeTensors {
    private static let elements: [String: FileElement] = [
        "F64": .float64, "F32": .float32, "F16": .float16, "BF16": .bfloat16, "I64": .int64, "U64": .uint64, "I32": .int32,
        "U32": .uint32, "I16": .int16, "U16": .uint16, "I8": .int8, "U8": .uint8, "BOOL": .bool,
    ]

    static func parse(_ file: InputFile) throws(FileError) -> Header {
        do throws(FileError) {
            guard file.size >= 8 else { throw FileError("", "expected a safetensors file, got only \(file.size) bytes") }
            let length = try file.bytes(at: 0, count: 8).little(UInt64.self, at: 0)
            guard length <= UInt64(maximumHeader) else {
                throw FileError(
                    "", "expected a header of at most \(maximumHeader) bytes, got \(length)", remedy: "is it a safetensors file?")
            }
            guard Int(length) <= file.size - 8 else {
                throw FileError(
                    "", "truncated: the header has \(length) bytes, the file \(file.size)", remedy: "write or fetch the file again")
            }
            let text = try file.bytes(at: 8, count: Int(length))
            guard text.first == UInt8(ascii: "{") else {
                throw FileError("", "expected a header that begins with '{'", remedy: "is it a safetensors file?")
            }
            var header = try check(try JSONValue.parse(text), dataStart: 8 + Int(length), dataSize: file.size - 8 - Int(length))
            header.checksums = try SafeTensorsChecksums.open(&header.metadata, header: text, tensors: header.entries.count)
            return header
        } catch {
            throw error.at(file.path)
        }
    }

    private static func check(_ json: JSONValue, dataStart: Int, dataSize: Int) throws(FileError) -> Header {
        guard case .object(let members) = json else { throw FileError("", "expected a table of tensors, got \(json.kind)") }
        var header = Header(metadata: [:], entries: [], dataStart: dataStart)
        for member in members {
            if member.key == "__metadata__" {
                header.metadata = try metadata(member.value)
            } else {
                do throws(FileError) {
                    header.entries.append(try entry(member.key, member.value))
                } catch {
                    throw FileError("", "tensor \"\(member.key)\": \(error.problem)", remedy: error.remedy)
                }
            }
        }
        // Tensors of no bytes share their offset with the next; the longer one comes last.
        header.entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        var end = 0
        for entry in header.entries {
            guard entry.range.lowerBound == end else {
                let what = entry.range.lowerBound < end ? "overlaps the tensor before it" : "leaves a gap before it"
                throw FileError(
                    "", "tensor \"\(entry.name)\" begins at byte \(entry.range.lowerBound) of the data and \(what), expected \(end)")
            }
            end = entry.range.upperBound
        }
        guard end == dataSize else {
            let what = end > dataSize ? "truncated" : "trailing bytes"
            throw FileError("", "\(what): expected \(end) bytes of data, got \(dataSize)", remedy: "write or fetch the file again")
        }
        return header
    }

    private static func metadata(_ value: JSONValue) throws(FileError) -> [String: String] {
        guard case .object(let members) = value else { throw FileError("", "expected __metadata__ to be a table, got \(value.kind)") }
        var table: [String: String] = [:]
        for member in members {
            guard case .string(let text) = member.value else {
                throw FileError("", "expected __metadata__ to hold strings, got \(member.value.kind) for \"\(member.key)\"")
            }
            table[member.key] = text
        }
        return table
    }

    private static func entry(_ name: String, _ value: JSONValue) throws(FileError) -> Entry {
        guard case .object(let members) = value, members.count == 3 else {
            throw FileError("", "expected a table of dtype, shape and data_offsets")
        }
        guard case .string(let type)? = value["dtype"] else { throw FileError("", "expected dtype to be a string") }
        guard let element = elements[type] else {
            throw FileError(
                "", "unknown dtype \(type), expected one of \(elements.keys.sorted().joined(separator: " "))",
                remedy: "convert it to F32 before saving")
        }
        let shape = try integers(value["shape"], "shape")
        let offsets = try integers(value["data_offsets"], "data_offsets")
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw FileError("", "expected data_offsets [begin, end], got \(offsets)")
        }
        // Counted as the tensor that it becomes, of which an element may take more than in the file.
        let bytes = try FileShape.count(shape, itemSize: max(element.size, DType.byteCount)) * element.size
        guard offsets[1] - offsets[0] == bytes else {
            throw FileError("", "shape \(shape) of \(type) needs \(bytes) bytes, data_offsets say \(offsets[1] - offsets[0])")
        }
        return Entry(name: name, shape: shape, element: element, range: offsets[0]..<offsets[1])
    }

    private static func integers(_ value: JSONValue?, _ what: String) throws(FileError) -> [Int] {
        guard case .array(let values)? = value else { throw FileError("", "expected \(what) to be an array") }
        var integers: [Int] = []
        for value in values {
            guard case .integer(let integer) = value, integer >= 0 else {
                throw FileError("", "expected \(what) to hold whole numbers of at least 0")
            }
            integers.append(integer)
        }
        return integers
    }
}
