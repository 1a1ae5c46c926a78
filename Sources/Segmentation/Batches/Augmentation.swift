/// How pixels become the numbers a network sees: `(value / 255 - mean) / deviation`, a channel at a time.
public struct Normalisation: Equatable, Sendable {
    public var mean: [Float]
    public var deviation: [Float]

    /// Means and deviations of ImageNet, the field's habit.
    public static let imageNet = Normalisation(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])
    /// Values of 0 to 1 as they are.
    public static let none = Normalisation(mean: [0, 0, 0], deviation: [1, 1, 1])

    /// Red, green, blue.
    public init(mean: [Float], deviation: [Float]) {
        self.mean = mean
        self.deviation = deviation
    }

    /// The picture that normalised values [3, H, W] show.
    /// - Throws: `FileError` when there is not the memory.
    public func image(_ values: UnsafePointer<Float>, size: Size) throws -> Image {
        var line = [UInt8](repeating: 0, count: size.width * 3)
        return try Image(size: size) { row in
            for y in 0..<size.height {
                for channel in 0..<3 {
                    let source = values + channel * size.count + y * size.width
                    for x in 0..<size.width {
                        let value = (source[x] * deviation[channel] + mean[channel]) * 255
                        // A value that is no number shows as black.
                        line[x * 3 + channel] = UInt8(max(0, min(255, value.rounded())))
                    }
                }
                try line.withUnsafeBufferPointer { line in if let start = line.baseAddress { try row(y, start) } }
            }
        }
    }
}

/// What happens to a sample on its way into a batch.
public struct Augmentation: Equatable, Sendable {
    /// Height and width that are cut out at a random place; nil takes the whole image.
    public var crop: Size?
    /// The image is first resized by a random factor of this range (bilinear, labels nearest).
    public var scale: ClosedRange<Double>
    /// Mirror left and right with probability 1/2.
    public var flip: Bool
    /// Random brightness, contrast and saturation, each by a factor of 1 - jitter to 1 + jitter.
    public var jitter: Double
    /// Where the scaled image is smaller than the crop, fill up with the mean colour and the ignore label, as is usual when
    /// training with scales below 1; otherwise that is an error.
    public var pad: Bool
    /// Share of crops that are laid over a pixel of a class picked evenly from those of the image, so that small and rare things are seen
    /// more often; the others lie anywhere.
    public var focus: Double
    public var normalisation: Normalisation

    public init(
        crop: Size? = nil, scale: ClosedRange<Double> = 1...1, flip: Bool = false, jitter: Double = 0, pad: Bool = false,
        focus: Double = 0, normalisation: Normalisation = .imageNet
    ) {
        self.crop = crop
        self.scale = scale
        self.flip = flip
        self.jitter = jitter
        self.pad = pad
        self.focus = focus
        self.normalisation = normalisation
    }

    /// Checks the settings themselves.
    /// - Throws: `DataError` that says which is out of range.
    func check() throws(DataError) {
        if let crop {
            guard crop.height >= 1, crop.width >= 1 else { throw DataError("expected a crop of at least 1x1, got \(crop)") }
            guard crop.count <= Size.mostPixels else { throw DataError("expected a crop of at most \(Size.mostPixels) pixels, got \(crop)") }
        }
        guard scale.lowerBound > 0, scale.upperBound <= 16 else {
            throw DataError("expected scales above 0 and up to 16, got \(scale.lowerBound) to \(scale.upperBound)")
        }
        guard (0..<1).contains(jitter) else { throw DataError("expected a jitter of 0 up to but not 1, got \(jitter)") }
        guard (0...1).contains(focus) else { throw DataError("expected a focus of 0 to 1, got \(focus)") }
        guard crop != nil || scale == 1...1 else {
            throw DataError("random scales need a crop, for images of a batch to have one size", remedy: "give a crop")
        }
        let channels = [normalisation.mean.count, normalisation.deviation.count]
        guard channels == [3, 3], normalisation.deviation.allSatisfy({ $0 > 0 }), normalisation.mean.allSatisfy(\.isFinite) else {
            throw DataError("expected a mean and a positive deviation for each of 3 channels")
        }
    }

    /// Whether pixels come to lie elsewhere than they did.
    var movesPixels: Bool { crop != nil || scale != 1...1 || flip }

    /// Checks that it is known what becomes of each part of a data set.
    func check(_ data: any DataSet) throws(DataError) {
        if focus > 0 { try data.requireClasses(for: "a focus on rare classes", remedy: "leave focus out") }
        guard movesPixels else { return }
        guard data.parts.contains(where: \.kind.isMap) else { throw DataError("samples of \(data.name) have no height and width to cut, scale or mirror") }
        if let part = data.parts.first(where: { $0.kind == .unplaced }) { throw Augmentation.unplaced(part, of: data.name) }
    }

    static func unplaced(_ part: SamplePart, of name: String) -> DataError {
        DataError(
            "it is not known what becomes of \(part.name) of \(name) when a sample is cut, scaled or mirrored",
            remedy: "say it: kinds = {\(part.name) = \"same\"} leaves it as it is, \"points\" moves x and y, a function does anything else")
    }

    /// Checks that the crop fits into an image of `size` at every scale.
    func check(_ size: Size, source: String) throws(DataError) {
        guard let crop, !pad else { return }
        let smallest = size.scaled(scale.lowerBound)
        guard crop.height <= smallest.height, crop.width <= smallest.width else {
            let scaled = scale.lowerBound == 1 ? "" : " at scale \(scale.lowerBound), \(smallest)"
            throw DataError(
                "the crop \(crop) is larger than \(source) (\(size)\(scaled))",
                remedy: "use a smaller crop, larger scales, or pad")
        }
    }

    /// What was drawn for one sample.
    public struct Window: Equatable, Sendable {
        /// Size of the whole image after scaling.
        public var scaled: Size
        /// First row and column of the output in the scaled image; negative where it is padded.
        public var top: Int
        public var left: Int
        /// Size of the output.
        public var size: Size
        public var mirrored = false
        var brightness: Float = 1
        var contrast: Float = 1
        var saturation: Float = 1

        init(scaled: Size, top: Int, left: Int, size: Size) { (self.scaled, self.top, self.left, self.size) = (scaled, top, left, size) }
    }

    /// Draws what happens to an image of `size`. The same numbers are drawn whatever the settings are.
    func window(_ size: Size, _ draw: inout Draw) -> Window {
        let scaled = size.scaled(draw.between(scale.lowerBound, scale.upperBound))
        let target = crop ?? scaled
        func start(_ whole: Int, _ part: Int) -> Int { min(0, whole - part) + draw.below(abs(whole - part) + 1) }
        var window = Window(
            scaled: scaled, top: start(scaled.height, target.height), left: start(scaled.width, target.width), size: target)
        let mirror = draw.chance(0.5)
        window.mirrored = flip && mirror
        window.brightness = Float(draw.between(1 - jitter, 1 + jitter))
        window.contrast = Float(draw.between(1 - jitter, 1 + jitter))
        window.saturation = Float(draw.between(1 - jitter, 1 + jitter))
        return window
    }

    /// Moves a window over a pixel of a class picked evenly from those of the image, with the probability `focus`. Nothing is drawn
    /// when that is 0.
    func aim(_ window: inout Window, at labels: LabelMap, _ draw: inout Draw) {
        guard focus > 0, draw.chance(focus) else { return }
        var counts = [Int](repeating: 0, count: Int(LabelMap.ignore))
        labels.values.withUnsafeBufferPointer { values in for label in values where label < LabelMap.ignore { counts[Int(label)] += 1 } }
        let present = counts.indices.filter { counts[$0] > 0 }
        guard !present.isEmpty else { return }
        let label = draw.pick(present)
        var left = draw.below(counts[label])
        guard let index = labels.values.firstIndex(where: { value in
            guard value == label else { return false }
            left -= 1
            return left < 0
        }) else { return }
        /// The pixel's place on the scaled image lies anywhere in the window, as far as the image reaches.
        func start(_ pixel: Int, old: Int, new: Int, part: Int) -> Int {
            let place = (2 * pixel + 1) * new / (2 * old)
            return max(min(0, new - part), min(place - draw.below(part), max(0, new - part)))
        }
        let size = labels.size
        window.top = start(index / size.width, old: size.height, new: window.scaled.height, part: window.size.height)
        window.left = start(index % size.width, old: size.width, new: window.scaled.width, part: window.size.width)
    }
}
