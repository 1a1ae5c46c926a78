/// How a batch of planes is cut into pieces: runs of channels while a channel (all its images) fits the second-level cache,
/// else stretches of a plane, whose partial results are combined in order. A matter of the shape alone.
struct Cut {
    let shape: PlaneShape
    let channelsPerPiece: Int
    /// Stretches of one channel; 1 where channels are not cut.
    let stretches: Int
    private let stretchesPerPlane: Int
    private static let stretch = 16384

    /// Fewest elements worth handing to another thread.
    private static let grain = 4096

    init(_ s: PlaneShape) {
        shape = s
        let channelSize = s.batch * s.size
        if channelSize <= 8 * Cut.stretch {
            channelsPerPiece = max(1, Cut.grain / max(1, channelSize))
            stretchesPerPlane = 1
            stretches = 1
        } else {
            channelsPerPiece = 1
            stretchesPerPlane = (s.size + Cut.stretch - 1) / Cut.stretch
            stretches = s.batch * stretchesPerPlane
        }
    }

    struct Part {
        let channel, image, within, count: Int
        /// Where the part begins in a tensor of the shape itself.
        let offset: Int
        private let planeOffset: Int

        init(_ cut: Cut, channel: Int, stretch: Int) {
            let s = cut.shape
            self.channel = channel
            image = stretch / cut.stretchesPerPlane
            within = stretch % cut.stretchesPerPlane * Cut.stretch
            count = min(Cut.stretch, s.size - within)
            planeOffset = channel * s.size + within
            offset = image * s.batchStride + planeOffset
        }

        /// Where it begins in a tensor of the same planes with another distance between images.
        func offset(_ batchStride: Int) -> Int { image * batchStride + planeOffset }
    }

    /// Every channel, where channels are not cut.
    func run(_ body: (Int) -> Void) {
        let pieces = (shape.channels + channelsPerPiece - 1) / channelsPerPiece
        ThreadPool.run(pieces) { piece in
            let first = piece * channelsPerPiece
            for channel in first..<min(first + channelsPerPiece, shape.channels) { body(channel) }
        }
    }

    func runParts(_ body: (Part) -> Void) {
        ThreadPool.run(shape.channels * stretches) { piece in
            body(Part(self, channel: piece / stretches, stretch: piece % stretches))
        }
    }

    /// Each part fills `values` doubles (zero at first); `finish` gets a channel's, in order.
    func runPartial(
        values: Int, _ body: (Part, UnsafeMutablePointer<Double>) -> Void,
        finish: (_ channel: Int, UnsafeMutablePointer<Double>, _ count: Int) -> Void
    ) {
        Workspace.withTemporary(Double.self, shape.channels * stretches * values) { partial in
            partial.initialize(repeating: 0, count: shape.channels * stretches * values)
            runParts { part in
                let stretch = part.image * stretchesPerPlane + part.within / Cut.stretch
                body(part, partial + (part.channel * stretches + stretch) * values)
            }
            for channel in 0..<shape.channels { finish(channel, partial + channel * stretches * values, stretches) }
        }
    }
}
