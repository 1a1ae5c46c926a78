import Base
import Tensors

/// The samples of one step, as contiguous memory that tensors adopt without a copy.
public struct Batch: Sendable {
    /// [samples, ...] for each part of the data set: images normalised, labels int32 with `LabelMap.ignore` where a pixel does not count.
    public let arrays: [NamedArray]
    /// Numbers of the samples in the data set.
    public let indices: [Int]
    /// Which pass over the data this belongs to, from 0, and which batch of it.
    public let epoch: Int
    public let index: Int

    /// The parts as tensors, inputs first.
    public var tensors: [Tensor] { arrays.map { Tensor($0) } }
}

/// What a function of a script makes of a sample that is cut out and normalised, before it goes into a batch.
public struct SampleTransform: Sendable {
    /// Tells transforms apart.
    public let text: String
    /// - Parameter seed: of what is random in it: another one for each sample of each epoch.
    public let body: @Sendable (_ sample: [NamedArray], _ seed: UInt64) throws -> [NamedArray]

    public init(text: String, _ body: @escaping @Sendable ([NamedArray], UInt64) throws -> [NamedArray]) {
        self.text = text
        self.body = body
    }
}

/// Makes batch `index` of epoch `epoch`: a function of these two and the settings, so that order and content depend on no
/// clock, thread or history.
struct BatchMaker: Sendable {
    let data: any DataSet
    let size: Int
    let augmentation: Augmentation
    let transform: SampleTransform?
    let seed: UInt64
    let shuffle: Bool
    let dropLast: Bool

    /// Batches of one pass; the last may be smaller unless it is dropped.
    var perEpoch: Int { data.count / size + (dropLast || data.count % size == 0 ? 0 : 1) }

    /// The samples of an epoch in their order.
    func order(epoch: Int) -> [Int] {
        guard shuffle else { return Array(0..<data.count) }
        var draw = Draw(seed: seed, stream: Draw.Purpose.order.rawValue, UInt64(epoch))
        return draw.permutation(data.count)
    }

    /// A sample and what is shown of it.
    private struct Piece {
        let number: Int
        let values: [SampleValue]
        let window: Augmentation.Window
        let axes: Augmentation.Axes
    }

    func make(epoch: Int, index: Int, order: [Int]) throws -> Batch {
        let first = index * size
        let positions = first..<first + min(size, data.count - first)
        let indices = positions.map { order[$0] }
        let pieces = try zip(positions, indices).map { position, number in
            var draw = Draw(seed: seed, stream: Draw.Purpose.augment.rawValue, UInt64(epoch), UInt64(position))
            return try piece(number, &draw)
        }
        guard !pieces.isEmpty else { throw DataError("batch \(index) of \(data.name) is empty") }
        let arrays: [NamedArray]
        if let transform {
            arrays = try stacked(zip(positions, pieces).map { position, piece in
                let shown = try zip(piece.values, data.parts).map { try augmentation.rendered($0, $1, piece.window, piece.axes) }
                let draw = Draw(seed: seed, stream: Draw.Purpose.transform.rawValue, UInt64(epoch), UInt64(position))
                return try data.located(piece.number, "the transform of sample") { try transform.body(shown, draw.seed) }
            }, indices)
        } else {
            arrays = try rendered(pieces)
        }
        return Batch(arrays: arrays, indices: indices, epoch: epoch, index: index)
    }

    /// Sample `number` and the window that is drawn for it.
    private func piece(_ number: Int, _ draw: inout Draw) throws -> Piece {
        var values = try data.located(number) { try data.sample(number).values }
        let sample = Sample(values)
        let whole = sample.size(data.parts) ?? Size(height: 1, width: 1)
        try augmentation.check(whole, source: data.source(number))
        var window = augmentation.window(whole, &draw)
        if let labels = sample.labelMap { augmentation.aim(&window, at: labels, &draw) }
        for (index, part) in data.parts.enumerated() where part.kind == .own {
            values[index] = try data.located(number) { try data.cut(values[index], part: index, to: window) }
        }
        return Piece(number: number, values: values, window: window, axes: Augmentation.Axes(window, old: whole))
    }

    /// All pieces, rendered to where they stand in the batch.
    private func rendered(_ pieces: [Piece]) throws -> [NamedArray] {
        let shapes = pieces.map { piece in zip(piece.values, data.parts).map { piece.window.shape(of: $0, $1) } }
        try requireEqual(shapes, pieces.map(\.number))
        let bytes = shapes[0].map { $0.reduce(4, *) }
        try Memory.check(pieces.count * bytes.reduce(0, +), toHold: "a batch of \(pieces.count) samples of \(pieces[0].window.size)")
        return try data.parts.enumerated().map { index, part in
            let buffer = try Buffer(byteCount: pieces.count * bytes[index])
            for (slot, piece) in pieces.enumerated() {
                try augmentation.render(piece.values[index], part, piece.window, piece.axes, to: buffer.pointer + slot * bytes[index])
            }
            return NamedArray(name: part.name, dtype: part.dtype, shape: [pieces.count] + shapes[0][index], buffer: buffer)
        }
    }

    /// The arrays of samples, one behind the other.
    private func stacked(_ samples: [[NamedArray]], _ numbers: [Int]) throws -> [NamedArray] {
        try requireEqual(samples.map { $0.map(\.shape) }, numbers)
        return try samples[0].enumerated().map { index, first in
            let bytes = first.buffer.byteCount
            let buffer = try Buffer(byteCount: samples.count * bytes)
            for (slot, sample) in samples.enumerated() {
                guard sample[index].dtype == first.dtype else {
                    throw DataError("\(data.source(numbers[slot])): \(first.name) is \(sample[index].dtype.rawValue), that of others in its batch \(first.dtype.rawValue)")
                }
                (buffer.pointer + slot * bytes).copyMemory(from: sample[index].buffer.pointer, byteCount: bytes)
            }
            return NamedArray(name: first.name, dtype: first.dtype, shape: [samples.count] + first.shape, buffer: buffer)
        }
    }

    /// - Throws: when the samples of a batch differ in shape.
    private func requireEqual(_ shapes: [[[Int]]], _ numbers: [Int]) throws(DataError) {
        for (slot, shape) in shapes.enumerated() {
            guard let part = shape.indices.first(where: { shape[$0] != shapes[0][$0] }) else { continue }
            func text(_ shape: [Int]) -> String { data.parts[part].kind.isMap ? shape.suffix(2).map(String.init).joined(separator: "x") : "\(shape)" }
            let name = part == 0 ? "" : data.parts[part].name + " of "
            throw DataError(
                "\(name)\(data.source(numbers[slot])) is \(text(shape[part])), others of its batch are \(text(shapes[0][part]))",
                remedy: data.parts[part].kind.isMap ? "give a crop, or use batches of 1" : "give all samples one shape, or use batches of 1")
        }
    }
}
