import Base
import Tensors

// Images and labels as tensors, without a copy in between.

extension Image {
    /// The image as [3, H, W] of 0 to 1.
    /// - Throws: `FileError` when there is not the memory; `Interrupted`.
    public func tensor() throws -> Tensor {
        let table = (0...255).map { Float($0) / 255 }
        return try planes(0..<size.height, [table, table, table])
    }

    /// Some rows as [3, rows, W].
    /// - Parameter tables: what stands for each of the 256 values of red, green and blue.
    func planes(_ rows: Range<Int>, _ tables: [[Float]]) throws -> Tensor {
        let plane = rows.count * size.width
        try Memory.check(3 * plane * 4, toHold: "an image of \(Size(height: rows.count, width: size.width)) as floats")
        let buffer = try Buffer(byteCount: 3 * plane * 4)
        let values = buffer.elements(of: Float.self)
        try pixels.withUnsafeBufferPointer { pixels in
            for channel in 0..<3 {
                try tables[channel].withUnsafeBufferPointer { table in
                    for row in rows {
                        try checkInterrupt()
                        let (from, to) = (row * size.width * 3 + channel, channel * plane + (row - rows.lowerBound) * size.width)
                        for x in 0..<size.width { values[to + x] = table[Int(pixels[from + 3 * x])] }
                    }
                }
            }
        }
        return Tensor(NamedArray(name: "image", dtype: .float32, shape: [3, rows.count, size.width], buffer: buffer))
    }
}

extension LabelMap {
    /// The labels as int32 [H, W].
    /// - Throws: `FileError` when there is not the memory.
    public func tensor() throws -> Tensor {
        try Memory.check(size.count * 4, toHold: "labels of \(size) as int32")
        let buffer = try Buffer(byteCount: size.count * 4)
        let target = buffer.elements(of: Int32.self)
        values.withUnsafeBufferPointer { values in for index in values.indices { target[index] = Int32(values[index]) } }
        return Tensor(NamedArray(name: "labels", dtype: .int32, shape: [size.height, size.width], buffer: buffer))
    }

    /// Labels of one image from an int32 tensor with as many elements.
    /// - Throws: `FileError` when there is not the memory, `DataError` for a number that is no label.
    public init(_ labels: Tensor, size: Size) throws {
        try self.init(size: size) { line in try LabelMap.copy(labels, height: size.height, width: size.width, line) }
    }

    /// Copies an int32 tensor row by row to where `line` says.
    /// - Throws: `DataError` for a number that is no label.
    static func copy(_ labels: Tensor, height: Int, width: Int, _ line: (_ y: Int) -> UnsafeMutablePointer<UInt16>) throws {
        let source = try labels.detach().contiguous()
        try source.withBytes { bytes in
            let values = bytes.bindMemory(to: Int32.self)
            for y in 0..<height {
                let to = line(y)
                for x in 0..<width {
                    guard let label = UInt16(exactly: values[y * width + x]) else {
                        throw DataError("expected labels 0 to \(UInt16.max), got \(values[y * width + x])", remedy: "use a network of fewer classes")
                    }
                    to[x] = label
                }
            }
        }
    }
}
