import Base
import Networks

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
        rows += parts.map { [$0.name, NumberText.grouped($0.cost.parameters), decimalUnits($0.cost.multiplyAdds)] }
        rows.append(["total", NumberText.grouped(parameters), decimalUnits(multiplyAdds)])
        return alignColumns(rows) + "\nF = \(filters), \(classes) classes, image \(height)x\(width)"
    }
}

extension Architecture {
    /// The cost of the derived network: stem of 64, 64, 128; cells; ASPP of 256; DeepLabv3+'s decoder. `DerivedNetwork` has exactly these
    /// parameters and does exactly these multiply-adds.
    ///
    /// An operator that reads a cell input on a down arrow works at the size it gives. `skip_connect` there is what the released code has, a
    /// strided 1x1 convolution with BN.
    /// - Throws: `SpaceError` for a size below 1 or beyond 65536 and an architecture that does not fit its own space.
    public func estimate(
        filters: Int, classes: Int, height: Int, width: Int, widths: DerivedWidths = DerivedWidths(), catalogue: OperatorCatalogue = .standard
    ) throws -> DerivedEstimate {
        try validate(catalogue: catalogue)
        try widths.validate()
        for (name, value) in [("filters", filters), ("classes", classes), ("height", height), ("width", width)]
        where !(1...65_536).contains(value) {
            throw SpaceError(
                .size, at: "estimate.\(name)", expected: "1 to 65536", got: "\(value)", remedy: "give the size that the network will use")
        }
        // Twice the largest kernel on the widest tensor at full size bounds every convolution.
        let fixed = 5 * max(widths.stem, widths.stemOutput, widths.aspp, widths.lowLevel, widths.decoder)
        let widest = Double(max(space.blocks, 1) * filters) * Double(space.strides.last ?? 1) + Double(fixed)
        guard 50 * widest * (widest + Double(classes)) * Double(height) * Double(width) < 9e18 else {
            throw SpaceError(
                .size, at: "estimate", expected: "counts below 2^63", got: "\(filters) filters, \(classes) classes, \(height)x\(width)",
                remedy: "give the sizes that the network will use")
        }
        let layout = DerivedLayout(self, filters: filters, widths: widths)
        let parts = try DerivedCounter(layout: layout, architecture: self, classes: classes, catalogue: catalogue).count(height: height, width: width)
        return DerivedEstimate(filters: filters, classes: classes, height: height, width: width, parts: parts)
    }
}

/// Walks the derived network and counts.
private struct DerivedCounter {
    struct Size {
        let height: Int
        let width: Int
        var pixels: Int { height * width }
        var halved: Size { Size(height: (height + 1) / 2, width: (width + 1) / 2) }
    }

    let layout: DerivedLayout
    let architecture: Architecture
    let classes: Int
    let catalogue: OperatorCatalogue

    func count(height: Int, width: Int) throws -> [DerivedEstimate.Part] {
        var size = Size(height: height, width: width)
        var stem = Cost.zero
        for layer in layout.stem {
            if layer.stride == 2 { size = size.halved }
            stem += convolution(layer.inChannels, layer.outChannels, kernel: 3, pixels: size.pixels)
        }
        var sizes = [size]
        for _ in architecture.space.strides.dropFirst() { sizes.append(sizes[sizes.count - 1].halved) }
        var parts = [DerivedEstimate.Part(name: "stem", cost: stem)]
        for (i, cell) in layout.cells.enumerated() {
            parts.append(.init(name: "layer \(i + 1), stride \(architecture.path[i])", cost: try cost(of: cell, sizes)))
        }
        let last = sizes[layout.cells.last?.level ?? 0]
        parts.append(.init(name: "ASPP", cost: aspp(pixels: last.pixels)))
        parts.append(.init(name: "decoder", cost: decoder(low: sizes[layout.cells[layout.lowCell].level].pixels, pixels: sizes[0].pixels)))
        return parts
    }

    /// Convolution and affine BN.
    private func convolution(_ from: Int, _ to: Int, kernel: Int = 1, pixels: Int) -> Cost {
        let weights = kernel * kernel * from * to
        return Cost(parameters: weights + 2 * to, multiplyAdds: saturating(weights, pixels))
    }

    private func cost(of cell: DerivedLayout.Cell, _ sizes: [Size]) throws -> Cost {
        // Up: the previous output is resized first. Down: the inputs keep their size, and the operators halve it.
        let (input, output) = (sizes[cell.isDown ? cell.from : cell.level], sizes[cell.level])
        var cost = convolution(cell.previousChannels, cell.channels, pixels: input.pixels)
        if cell.projectsBack { cost += convolution(cell.backChannels, cell.channels, pixels: input.pixels) }
        for branch in architecture.cell.branches {
            let halving = cell.stride(of: branch) == 2 ? (input.height, input.width) : nil
            cost += try catalogue.cost(
                of: branch.operation,
                at: OperatorSite(channels: cell.channels, height: output.height, width: output.width, affine: true, halving: halving))
        }
        return Cost(parameters: cost.parameters, multiplyAdds: cost.multiplyAdds)
    }

    /// 1x1, three dense 3x3, image pooling; their concatenation through a 1x1.
    private func aspp(pixels: Int) -> Cost {
        let (from, to) = (layout.outChannels, layout.widths.aspp)
        var cost = convolution(from, to, pixels: pixels)
        for _ in layout.rates { cost += convolution(from, to, kernel: 3, pixels: pixels) }
        cost += convolution(from, to, pixels: 1)
        return cost + convolution((2 + layout.rates.count) * to, to, pixels: pixels)
    }

    private func decoder(low: Int, pixels: Int) -> Cost {
        let widths = layout.widths
        var cost = convolution(layout.lowChannels, widths.lowLevel, pixels: low)
        cost += convolution(widths.aspp + widths.lowLevel, widths.decoder, kernel: 3, pixels: pixels)
        cost += convolution(widths.decoder, widths.decoder, kernel: 3, pixels: pixels)
        let classifier = widths.decoder * classes
        return cost + Cost(parameters: classifier + classes, multiplyAdds: saturating(classifier, pixels))
    }
}
