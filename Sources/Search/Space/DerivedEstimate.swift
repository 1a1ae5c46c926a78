/// What the derived network of an architecture will cost, from sizes alone: to choose a width for a budget, or to compare
/// architectures of equal size, without building one (search-space.md, "Derived network").
public struct DerivedEstimate: Hashable, Sendable {
    public struct Part: Hashable, Sendable {
        public let name: String
        /// For one image; activations are not counted.
        public let cost: Cost
    }

    public let filters: Int
    public let classes: Int
    public let height: Int
    public let width: Int
    /// The stem, layers 1...L, ASPP, decoder.
    public let parts: [Part]

    public var parameters: Int { parts.reduce(0) { saturating(1, $0, plus: $1.cost.parameters) } }
    /// Of one image, by the usual count.
    public var multiplyAdds: Int { parts.reduce(0) { saturating(1, $0, plus: $1.cost.multiplyAdds) } }
}

extension DerivedEstimate: CustomStringConvertible {
    public var description: String {
        var rows = [["", "parameters", "multiply-adds"]]
        rows += parts.map { [$0.name, groupDigits("\($0.cost.parameters)"), decimalUnits($0.cost.multiplyAdds)] }
        rows.append(["total", groupDigits("\(parameters)"), decimalUnits(multiplyAdds)])
        return alignColumns(rows) + "\nF = \(filters), \(classes) classes, image \(height)x\(width)"
    }
}

extension Architecture {
    /// The cost of the published kind of network: stem of 64, 64, 128; cells; ASPP of 256; DeepLabv3+'s decoder.
    ///
    /// An operator that reads a cell input on a down arrow works at the size it gives. `skip_connect` there is counted as the
    /// released code has it, a strided 1x1 convolution with BN.
    /// - Throws: `SpaceError` for a size below 1 or beyond 65536 and an architecture that does not fit its own space.
    public func estimate(
        filters: Int, classes: Int, height: Int, width: Int, catalogue: OperatorCatalogue = .standard
    ) throws -> DerivedEstimate {
        try validate(catalogue: catalogue)
        for (name, value) in [("filters", filters), ("classes", classes), ("height", height), ("width", width)]
        where !(1...65_536).contains(value) {
            throw SpaceError(
                .size, at: "estimate.\(name)", expected: "1 to 65536", got: "\(value)", remedy: "give the size that the network will use")
        }
        // Twice the largest kernel on the widest tensor at full size bounds every convolution.
        let widest = Double(max(space.blocks, 1) * filters) * Double(space.strides.last ?? 1) + 1280
        guard 50 * widest * (widest + Double(classes)) * Double(height) * Double(width) < 9e18 else {
            throw SpaceError(
                .size, at: "estimate", expected: "counts below 2^63", got: "\(filters) filters, \(classes) classes, \(height)x\(width)",
                remedy: "give the sizes that the network will use")
        }
        return try DerivedCounter(self, filters: filters, classes: classes, catalogue: catalogue).count(height: height, width: width)
    }
}

/// Walks the derived network and counts.
private struct DerivedCounter {
    struct Feature {
        let channels: Int
        let height: Int
        let width: Int
        var pixels: Int { height * width }
    }

    let architecture: Architecture
    let filters: Int
    let classes: Int
    let catalogue: OperatorCatalogue
    /// Widths of the released model.
    let asppChannels = 256
    let lowLevelChannels = 48
    /// The decoder reads the third cell's output, or the last of a shorter network.
    var lowLevelLayer: Int { min(3, architecture.path.count) }

    init(_ architecture: Architecture, filters: Int, classes: Int, catalogue: OperatorCatalogue) {
        self.architecture = architecture
        self.filters = filters
        self.classes = classes
        self.catalogue = catalogue
    }

    func count(height: Int, width: Int) throws -> DerivedEstimate {
        var (back, previous, stem) = self.stem(height: height, width: width)
        var parts = [DerivedEstimate.Part(name: "stem", cost: stem)]
        let sizes = architecture.space.strides.indices.map { level in
            let factor = 1 << level
            return (height: (previous.height + factor - 1) / factor, width: (previous.width + factor - 1) / factor)
        }
        var low = previous
        var level = 0
        for (i, next) in architecture.levels.enumerated() {
            let (output, cost) = try cell(from: level, to: next, previous: previous, back: back, sizes)
            parts.append(.init(name: "layer \(i + 1), stride \(architecture.path[i])", cost: cost))
            (back, previous, level) = (previous, output, next)
            if i + 1 == lowLevelLayer { low = output }
        }
        parts.append(.init(name: "ASPP", cost: aspp(previous)))
        parts.append(.init(name: "decoder", cost: decoder(low)))
        return DerivedEstimate(filters: filters, classes: classes, height: height, width: width, parts: parts)
    }

    /// Convolution and affine BN.
    private func convolution(_ from: Int, _ to: Int, kernel: Int = 1, pixels: Int) -> Cost {
        let weights = kernel * kernel * from * to
        return Cost(parameters: weights + 2 * to, multiplyAdds: saturating(weights, pixels))
    }

    /// - Returns: the first cell's two inputs. A stem that needs more halvings has more layers of 64; the last layer of 64 and
    ///   the one of 128 are what the first cell reads.
    private func stem(height: Int, width: Int) -> (back: Feature, previous: Feature, cost: Cost) {
        let halvings = architecture.space.strides[0].trailingZeroBitCount
        // 64 halving, 64, 128 halving: the layers between halve when the finest stride asks for it.
        var steps = [Int](repeating: 2, count: max(0, halvings - 1)) + [1]
        if halvings < 2 { steps.insert(1, at: 0) }
        steps.append(halvings >= 1 ? 2 : 1)
        var cost = Cost.zero
        var feature = Feature(channels: 3, height: height, width: width)
        var back = feature
        for (i, step) in steps.enumerated() {
            back = feature
            feature = Feature(
                channels: i == steps.count - 1 ? 128 : 64, height: (feature.height + step - 1) / step,
                width: (feature.width + step - 1) / step)
            cost += convolution(back.channels, feature.channels, kernel: 3, pixels: feature.pixels)
        }
        return (back, feature, cost)
    }

    private func cell(
        from level: Int, to next: Int, previous: Feature, back: Feature, _ sizes: [(height: Int, width: Int)]
    ) throws -> (output: Feature, cost: Cost) {
        let channels = filters << next
        let down = next > level
        // Up: the previous output is resized first. Down: the inputs keep their size, and the operators halve it.
        let input = down ? sizes[level] : sizes[next]
        let output = sizes[next]
        var cost = convolution(previous.channels, channels, pixels: input.height * input.width)
        if back.channels != channels { cost += convolution(back.channels, channels, pixels: input.height * input.width) }
        let site = OperatorSite(channels: channels, height: output.height, width: output.width, affine: true)
        for branch in architecture.cell.branches {
            if down, branch.state <= CellSpace.inputStates, branch.operation == OperatorCatalogue.skipConnect {
                cost += convolution(channels, channels, pixels: site.pixels)
            } else {
                cost += try catalogue.cost(of: branch.operation, at: site)
            }
        }
        return (
            Feature(channels: architecture.cell.blocks.count * channels, height: output.height, width: output.width),
            Cost(parameters: cost.parameters, multiplyAdds: cost.multiplyAdds)
        )
    }

    /// 1x1, three dense 3x3, image pooling; their concatenation through a 1x1.
    private func aspp(_ input: Feature) -> Cost {
        var cost = convolution(input.channels, asppChannels, pixels: input.pixels)
        for _ in 0..<3 { cost += convolution(input.channels, asppChannels, kernel: 3, pixels: input.pixels) }
        cost += convolution(input.channels, asppChannels, pixels: 1)
        return cost + convolution(5 * asppChannels, asppChannels, pixels: input.pixels)
    }

    private func decoder(_ low: Feature) -> Cost {
        var cost = convolution(low.channels, lowLevelChannels, pixels: low.pixels)
        cost += convolution(asppChannels + lowLevelChannels, asppChannels, kernel: 3, pixels: low.pixels)
        cost += convolution(asppChannels, asppChannels, kernel: 3, pixels: low.pixels)
        let classifier = asppChannels * classes
        return cost + Cost(parameters: classifier + classes, multiplyAdds: saturating(classifier, low.pixels))
    }
}
