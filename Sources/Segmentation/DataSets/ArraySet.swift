import Tensors

/// A data set of arrays in memory: sample `i` is row `i` of each of them.
public struct ArraySet: DataSet {
    public let name: String
    public let parts: [SamplePart]
    public let classes: [ClassInfo]
    public let count: Int
    public let normalisation: Normalisation
    private let arrays: [NamedArray]

    /// - Parameters:
    ///   - parts: in the order of `arrays`, as `SampleShape` found them.
    ///   - arrays: [count, ...] each.
    public init(name: String, parts: [SamplePart], arrays: [NamedArray], classes: [ClassInfo], normalisation: Normalisation) {
        (self.name, self.parts, self.arrays, self.classes, self.normalisation) = (name, parts, arrays, classes, normalisation)
        count = arrays.first?.shape.first ?? 0
    }

    public func source(_ index: Int) -> String { "\(name) (sample \(index + 1))" }

    public func size(_ index: Int) throws -> Size {
        guard let map = parts.firstIndex(where: \.kind.isMap) else { throw DataError("samples of \(name) have no height and width") }
        let shape = arrays[map].shape
        return Size(height: shape[shape.count - 2], width: shape[shape.count - 1])
    }

    public func sample(_ index: Int) throws -> Sample {
        precondition((0..<count).contains(index), "no such sample")
        return try Sample(zip(parts, arrays).map { part, array in
            let bytes = array.buffer.byteCount / count
            let row = try Buffer(byteCount: bytes)
            row.pointer.copyMemory(from: array.buffer.pointer + index * bytes, byteCount: bytes)
            let value = NamedArray(name: part.name, dtype: array.dtype, shape: Array(array.shape.dropFirst()), buffer: row)
            return try SampleShape.value(value, part, classes: classes.count, source: source(index))
        })
    }
}

/// What the arrays of a sample have to be like, and what they become.
public enum SampleShape {
    /// The kind of a part that nobody gave one: a map where its last dimensions are those of the sample's maps.
    /// - Parameters:
    ///   - size: last two dimensions of the first input of rank 2 or more; nil without one.
    ///   - isFirst: the first input, which is an image if it has three planes.
    public static func kind(_ shape: [Int], _ dtype: ElementType, size: Size?, isInput: Bool, isFirst: Bool) -> SamplePart.Kind {
        guard let size, shape.count >= 2, shape.suffix(2).elementsEqual([size.height, size.width]) else { return .unplaced }
        if dtype == .int32 { return .nearest }
        return isInput && isFirst && shape.count == 3 && shape[0] == 3 ? .image : .bilinear
    }

    /// Checks the array of a part, and makes it what data sets hand out: a label map where the part tells classes.
    /// - Throws: `DataError` that names `source`.
    public static func value(_ array: NamedArray, _ part: SamplePart, classes: Int, source: String) throws -> SampleValue {
        func wrong(_ expected: String) -> DataError { DataError("\(source): expected \(expected) as \(part.name), got \(array.dtype.rawValue) \(array.shape)") }
        guard array.dtype == part.dtype else { throw wrong("\(part.dtype.rawValue), as in the first sample,") }
        if part.kind.isMap { guard array.shape.count >= 2, array.count > 0 else { throw wrong("[..., height, width]") } }
        if part.kind == .image { guard array.shape.count == 3, array.shape[0] == 3 else { throw wrong("[3, height, width]") } }
        if part.kind == .points { guard let last = array.shape.last, last >= 2 else { throw wrong("[..., 2 or more]") } }
        guard classes > 0, !part.isInput, part.kind == .nearest, array.dtype == .int32, array.shape.count == 2 else { return .array(array) }
        let size = Size(height: array.shape[0], width: array.shape[1])
        let labels = array.buffer.elements(of: Int32.self)
        if let bad = labels.firstIndex(where: { !(0..<classes).contains(Int($0)) && $0 != Int32(LabelMap.ignore) }) {
            throw DataError(
                "\(source): expected labels 0 to \(classes - 1) or \(LabelMap.ignore), got \(labels[bad]) at row \(bad / size.width + 1), column \(bad % size.width + 1)")
        }
        return .labels(LabelMap(size: size, values: labels.map { UInt16($0) }))
    }

    /// - Throws: `DataError` when the maps of a sample differ in height or width.
    public static func check(_ values: [SampleValue], _ parts: [SamplePart], source: String) throws(DataError) {
        let maps = zip(parts, values).filter { $0.0.kind.isMap }
        guard let first = maps.first, let other = maps.first(where: { $0.1.size != first.1.size }) else { return }
        throw DataError(
            "\(source): \(first.0.name) is \(first.1.size), \(other.0.name) is \(other.1.size)",
            remedy: "maps of a sample need one height and width; say with kinds what \(other.0.name) is otherwise, as kinds = {\(other.0.name) = \"same\"}")
    }
}
