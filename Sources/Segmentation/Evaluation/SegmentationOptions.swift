/// How images of any size become labels.
public struct SegmentationOptions: Equatable, Sendable {
    /// The image is looked at in these sizes; class probabilities are averaged.
    public var scales: [Double]
    /// Look at the mirror image too.
    public var flip: Bool
    /// Height and width of the pieces that larger images are taken apart into; nil looks at the image as a whole.
    public var window: Size?
    /// Pixels from one window to the next; nil takes two thirds of the window.
    public var stride: Size?
    /// How pixels became numbers when the network was trained.
    public var normalisation: Normalisation

    public init(
        scales: [Double] = [1], flip: Bool = false, window: Size? = nil, stride: Size? = nil, normalisation: Normalisation = .imageNet
    ) {
        self.scales = scales
        self.flip = flip
        self.window = window
        self.stride = stride
        self.normalisation = normalisation
    }

    /// Whether each image goes through the network once, as it is.
    var isPlain: Bool { scales == [1] && !flip && window == nil }

    /// - Throws: `DataError` that says which setting is out of its range.
    public func check() throws(DataError) {
        guard !scales.isEmpty, scales.allSatisfy({ $0 > 0 && $0 <= 16 }) else {
            throw DataError("expected scales above 0 and up to 16, got \(scales)")
        }
        if let window {
            guard window.height >= 1, window.width >= 1, window.height <= Size.mostPixels, window.width <= Size.mostPixels else {
                throw DataError("expected a window of at least 1x1 and at most \(Size.mostPixels) on a side, got \(window)")
            }
        }
        guard let stride else { return }
        guard let window else { throw DataError("a stride of \(stride) belongs to windows", remedy: "give the size of the window too") }
        guard (1...window.height).contains(stride.height), (1...window.width).contains(stride.width) else {
            throw DataError("expected a stride of 1x1 to \(window), the window, got \(stride)", remedy: "larger steps would leave pixels out")
        }
    }

    /// The settings in a few words, for tables and cards: "scales 0.75, 1, 1.25, flipped, windows of 512x512".
    public var summary: String {
        var parts = [scales == [1] ? "one scale" : "scales " + scales.map { $0 == $0.rounded() ? "\(Int($0))" : "\($0)" }.joined(separator: ", ")]
        if flip { parts.append("flipped") }
        if let window { parts.append("windows of \(window)" + (stride.map { " every \($0)" } ?? "")) }
        return parts.joined(separator: ", ")
    }
}
