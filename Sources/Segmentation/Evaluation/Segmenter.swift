import Networks
import Tensors

/// A network in use: class probabilities and labels of images of any size, at several scales, mirrored, and window by window.
///
/// The network computes in evaluation mode, whatever mode its parts are in, through plans that are kept by the shape of their input.
/// Scores that are smaller than the image are resized to it (bilinear, corners aligned). Labels by windows in the image's own size take memory for
/// the scores of one row of windows only (`classifyByStrips`).
public final class Segmenter {
    public let network: Module
    public let options: SegmentationOptions

    /// Plans by input shape, the one used last at the end. Data sets with images of all sizes would otherwise keep one for each.
    private var plans: [(shape: [Int], classify: Bool, plan: Compiled)] = []
    private static let mostPlans = 16

    /// - Throws: `DataError` when a setting is out of its range.
    public init(_ network: Module, _ options: SegmentationOptions = SegmentationOptions()) throws(DataError) {
        try options.check()
        self.network = network
        self.options = options
    }

    /// Channels of the network's scores for images of a size, found without computing anything.
    /// - Throws: `DataError` when it gives no scores [N, classes, H, W]; `TensorError` when it cannot take such images.
    public static func classes(of network: Module, for image: Size) throws -> Int {
        let recording = Recording()
        defer { recording.dismantle() }
        let images = recording.input([1, 3, image.height, image.width], .float32)
        let shape = try recording.record {
            try GradientMode.disabled { try Module.inMode(training: false) { try network(images) } }
        }.shape
        guard shape.count == 4, shape[0] == 1 else {
            throw DataError("expected a network that maps images [N, 3, H, W] to scores [N, classes, H, W], it gives \(shape)")
        }
        return shape[1]
    }

    /// Checks that the network's scores are of these classes.
    /// - Throws: `DataError` with both numbers.
    public static func check(_ network: Module, fits classes: [ClassInfo], of data: String, size: Size) throws {
        let own = try self.classes(of: network, for: size)
        guard own == classes.count else {
            throw DataError(
                "the network tells \(own) classes apart, \(data) has \(classes.count)",
                remedy: "build the network with classes = \(classes.count), or use the data it was made for")
        }
    }

    /// The class with the highest probability of each pixel, int32 [N, H, W] from 0.
    /// - Parameter images: normalised, [N, 3, H, W].
    /// - Throws: `TensorError` where the scores hold NaN.
    public func classify(_ images: Tensor) throws -> Tensor {
        let images = try checked(images)
        if options.isPlain { return try ClassScores.classes(plan(images.shape, classify: true)([images])) }
        if goesByStrips(Size(height: images.shape[2], width: images.shape[3])), let window = options.window {
            return try classifyByStrips(images, window)
        }
        return try ClassScores.classes(of: probabilities(images))
    }

    /// Softmax over the classes, averaged over scales and mirror images; [N, classes, H, W].
    public func probabilities(_ images: Tensor) throws -> Tensor {
        let images = try checked(images)
        let whole = Size(height: images.shape[2], width: images.shape[3])
        return try GradientMode.disabled {
            var total: Tensor?
            for scale in options.scales {
                let size = Segmenter.size(whole, scale)
                let scaled = try images.resize(.bilinearAlignCorners, height: size.height, width: size.width)
                for mirrored in options.flip ? [false, true] : [false] {
                    let scores = try self.scores(mirrored ? Segmenter.mirror(scaled) : scaled)
                    var share = try scores.resize(.bilinearAlignCorners, height: whole.height, width: whole.width).softmax(1)
                    if mirrored { share = try Segmenter.mirror(share) }
                    total = try total.map { try $0 + share } ?? share
                }
            }
            guard let total else { throw DataError("expected at least one scale") }
            let looks = options.scales.count * (options.flip ? 2 : 1)
            return looks == 1 ? total : try total / Float(looks)
        }
    }

    /// Labels of one image. By windows in the image's own size, no more than a row of windows is ever in memory as floats.
    public func classify(_ image: Image) throws -> LabelMap {
        if goesByStrips(image.size), let window = options.window { return try classifyByStrips(image, window) }
        return try LabelMap(classify(options.normalisation.tensor(image)), size: image.size)
    }

    /// Where corners stay corners, a scale counts the steps between pixels: 1 + (n - 1)·scale of them.
    static func size(_ size: Size, _ scale: Double) -> Size {
        func side(_ n: Int) -> Int { 1 + Int((Double(n - 1) * scale).rounded()) }
        return Size(height: side(size.height), width: side(size.width))
    }

    private func checked(_ images: Tensor) throws -> Tensor {
        guard images.rank == 4, images.shape[1] == 3, images.count > 0, images.dtype == .float32 else {
            throw DataError("expected float32 images [N, 3, H, W], got \(images.dtype) \(images.shape)")
        }
        return try images.detach().contiguous()
    }

    /// Scores [N, classes, h, w] of images [N, 3, h, w], as a whole or averaged over windows.
    private func scores(_ images: Tensor) throws -> Tensor {
        let size = Size(height: images.shape[2], width: images.shape[3])
        guard let window = options.window, window.height < size.height || window.width < size.width else {
            return try plan(images.shape, classify: false)([images])[0]
        }
        let windows = SlidingWindow(size, window: window, stride: options.stride)
        var sum: Tensor?
        for top in windows.rows {
            for left in windows.columns {
                let piece = try images.narrow(2, top, windows.size.height).narrow(3, left, windows.size.width).contiguous()
                let part = try plan(piece.shape, classify: false)([piece])[0]
                let canvas = try sum ?? Tensor.zeros([images.shape[0], part.shape[1], size.height, size.width])
                try Segmenter.add(part, to: canvas, top: top, left: left)
                sum = canvas
            }
        }
        guard let sum else { throw DataError("expected at least one window") }
        try Segmenter.divide(sum, by: windows.coverage)
        return sum
    }

    func plan(_ shape: [Int], classify: Bool) -> Compiled {
        if let at = plans.firstIndex(where: { $0.shape == shape && $0.classify == classify }) {
            let known = plans.remove(at: at)
            plans.append(known)
            return known.plan
        }
        if plans.count >= Segmenter.mostPlans { plans.removeFirst() }
        let network = network
        let plan = Compiled { inputs in
            try GradientMode.disabled {
                let (height, width) = (inputs[0].shape[2], inputs[0].shape[3])
                let scores = try Module.inMode(training: false) { try network(inputs[0]) }
                let full = try scores.resize(.bilinearAlignCorners, height: height, width: width)
                return classify ? try ClassScores.pick(full, checked: scores) : [full]
            }
        }
        plans.append((shape, classify, plan))
        return plan
    }
}

// Planes of numbers.
extension Segmenter {
    /// [..., W] with its rows reversed.
    static func mirror(_ tensor: Tensor) throws -> Tensor {
        let source = try tensor.contiguous()
        let result = try Tensor.zeros(tensor.shape)
        let width = tensor.shape[tensor.rank - 1]
        try source.withFloats { from in
            try result.withFloats { to in
                for row in stride(from: 0, to: tensor.count, by: width) {
                    for x in 0..<width { to[row + x] = from[row + width - 1 - x] }
                }
            }
        }
        return result
    }

    /// Adds [N, C, h, w] to a part of [N, C, H, W].
    static func add(_ part: Tensor, to canvas: Tensor, top: Int, left: Int) throws {
        let (height, width) = (part.shape[2], part.shape[3])
        let (rows, columns) = (canvas.shape[2], canvas.shape[3])
        try part.withFloats { from in
            try canvas.withFloats { to in
                for plane in 0..<part.shape[0] * part.shape[1] {
                    for y in 0..<height {
                        let (a, b) = ((plane * height + y) * width, (plane * rows + top + y) * columns + left)
                        for x in 0..<width { to[b + x] += from[a + x] }
                    }
                }
            }
        }
    }

    static func divide(_ canvas: Tensor, by coverage: (rows: [Int], columns: [Int])) throws {
        let across = coverage.columns.map(Float.init)
        try canvas.withFloats { values in
            for line in 0..<canvas.shape[0] * canvas.shape[1] * coverage.rows.count {
                let down = Float(coverage.rows[line % coverage.rows.count])
                for x in across.indices { values[line * across.count + x] /= down * across[x] }
            }
        }
    }
}

extension Normalisation {
    /// An image as the network sees it, [1, 3, H, W].
    public func tensor(_ image: Image) throws -> Tensor { try tensor(image, rows: 0..<image.size.height) }

    /// Some rows of an image, [1, 3, rows, W].
    func tensor(_ image: Image, rows: Range<Int>) throws -> Tensor {
        // The same order of operations as batches have, so that the numbers are the same.
        let tables = (0..<3).map { channel in
            let gain = 1 / (255 * deviation[channel]), offset = -mean[channel] / deviation[channel]
            return (0...255).map { Float($0) * gain + offset }
        }
        return try image.planes(rows, tables).reshape([1, 3, rows.count, image.size.width])
    }
}
