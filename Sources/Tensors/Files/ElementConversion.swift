import Base

/// Element types that array files may hold. All become float32 or int32 on the way in.
enum FileElement: String, Sendable, CaseIterable {
    case float64, float32, float16, bfloat16, int64, uint64, int32, uint32, int16, uint16, int8, uint8, bool

    /// Bytes of one element in the file.
    var size: Int {
        switch self {
        case .float64, .int64, .uint64: 8
        case .float32, .int32, .uint32: 4
        case .float16, .bfloat16, .int16, .uint16: 2
        case .int8, .uint8, .bool: 1
        }
    }

    /// What a tensor holds them as.
    var target: ElementType {
        switch self {
        case .float64, .float32, .float16, .bfloat16: .float32
        default: .int32
        }
    }
}

/// Reads elements of any file type into float32 or int32.
///
/// float16, bfloat16 and the integers keep their value exactly or are refused; float64 is rounded to the nearest float32
/// and refused where it would become infinite. A bool must be 0 or 1.
enum ElementConversion {
    /// Elements read at once when they have to be converted.
    private static let chunk = 1 << 17

    /// Reads `count` elements of `type` from `source` into a new buffer of `type.target`.
    static func read(
        _ type: FileElement, count: Int, bigEndian: Bool = false, from source: some ByteSource
    ) throws(FileError) -> Buffer {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: max(type.size, 4))
        guard !overflow, count * type.size <= source.remaining else {
            throw FileError("", "truncated: expected \(count) \(type.rawValue) elements, got \(source.remaining) bytes")
        }
        let result = try Buffer(byteCount: bytes / max(type.size, 4) * 4)
        if type.size == 4, type != .uint32 {
            try source.read(into: result.pointer, count: count * 4)
            if bigEndian { swap(result.pointer, count: count, size: 4) }
            return result
        }
        let scratch = try Buffer(byteCount: min(count, chunk) * type.size)
        var start = 0
        while start < count {
            let part = min(count - start, chunk)
            try source.read(into: scratch.pointer, count: part * type.size)
            if bigEndian { swap(scratch.pointer, count: part, size: type.size) }
            if let bad = convert(type, scratch, into: result.pointer + start * 4, count: part) {
                throw FileError(
                    "", "element \(start + bad.index) is \(bad.value), which \(type.target.rawValue) cannot hold",
                    remedy: "convert the array before saving it")
            }
            start += part
        }
        return result
    }

    /// Reverses the bytes of each element.
    private static func swap(_ pointer: UnsafeMutableRawPointer, count: Int, size: Int) {
        let bytes = pointer.assumingMemoryBound(to: UInt8.self)
        for element in 0..<count {
            var low = element * size
            var high = low + size - 1
            while low < high {
                (bytes[low], bytes[high]) = (bytes[high], bytes[low])
                low += 1
                high -= 1
            }
        }
    }

    /// The first value that does not fit, if any.
    private static func convert(
        _ type: FileElement, _ source: Buffer, into destination: UnsafeMutableRawPointer, count: Int
    ) -> (index: Int, value: String)? {
        switch type {
        case .float32, .int32:
            destination.copyMemory(from: source.pointer, byteCount: count * 4)
            return nil
        case .float64:
            let values = source.elements(of: Double.self)
            for index in 0..<count {
                let value = Float(values[index])
                guard value.isFinite || !values[index].isFinite else { return (index, "\(values[index])") }
                destination.storeBytes(of: value, toByteOffset: index * 4, as: Float.self)
            }
            return nil
        case .float16:
            let values = source.elements(of: UInt16.self)
            for index in 0..<count { destination.storeBytes(of: half(values[index]), toByteOffset: index * 4, as: Float.self) }
            return nil
        case .bfloat16:
            let values = source.elements(of: UInt16.self)
            for index in 0..<count {
                destination.storeBytes(of: UInt32(values[index]) << 16, toByteOffset: index * 4, as: UInt32.self)
            }
            return nil
        case .bool:
            let values = source.elements(of: UInt8.self)
            if let index = (0..<count).first(where: { values[$0] > 1 }) {
                return (index, "the byte \(values[index]) where a bool is 0 or 1")
            }
            return integers(UInt8.self, source, into: destination, count: count)
        case .int64: return integers(Int64.self, source, into: destination, count: count)
        case .uint64: return integers(UInt64.self, source, into: destination, count: count)
        case .uint32: return integers(UInt32.self, source, into: destination, count: count)
        case .int16: return integers(Int16.self, source, into: destination, count: count)
        case .uint16: return integers(UInt16.self, source, into: destination, count: count)
        case .int8: return integers(Int8.self, source, into: destination, count: count)
        case .uint8: return integers(UInt8.self, source, into: destination, count: count)
        }
    }

    private static func integers<Integer: FixedWidthInteger>(
        _ type: Integer.Type, _ source: Buffer, into destination: UnsafeMutableRawPointer, count: Int
    ) -> (index: Int, value: String)? {
        let values = source.elements(of: type)
        for index in 0..<count {
            guard let value = Int32(exactly: values[index]) else { return (index, "\(values[index])") }
            destination.storeBytes(of: value, toByteOffset: index * 4, as: Int32.self)
        }
        return nil
    }

    /// IEEE 754 binary16 to binary32, exactly; by hand because Swift's Float16 is not there on every platform.
    static func half(_ bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16
        let exponent = UInt32(bits >> 10) & 0x1f
        let fraction = UInt32(bits & 0x3ff)
        switch exponent {
        case 0:
            // Zero and the subnormals: fraction times 2^-24.
            let magnitude = Float(fraction) * 0x1p-24
            return Float(bitPattern: magnitude.bitPattern | sign)
        case 31: return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
        default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }
}
