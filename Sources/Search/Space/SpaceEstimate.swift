import Base
import Networks

/// What a supernet will cost, from sizes alone: nothing is allocated.
///
/// Counts follow the mathematics as written: every arrow evaluates its node's whole cell (eq. 6), every operator of every
/// edge by itself, nothing recomputed. A compiled plan that shares what is equal keeps less; gradients on their way back come
/// on top.
public struct SpaceEstimate: Hashable, Sendable {
    /// The stem, a layer, or the heads.
    public struct Part: Hashable, Sendable {
        public let name: String
        public let nodes: Int
        public let arrows: Int
        /// For one image.
        public let cost: Cost
    }

    public let height: Int
    public let width: Int
    public let batch: Int
    public let classes: Int
    /// The stem, layers 1...L, the heads.
    public let parts: [Part]
    /// Entries of alpha and beta.
    public let architectureParameters: Int
    /// Parameters of edges that never get an input, because the node has no two-back; they are among `parameters`.
    public let unusedParameters: Int

    private var total: Cost { parts.reduce(.zero) { $0 + $1.cost } }

    /// Weights, without alpha and beta.
    public var parameters: Int { total.parameters }
    /// Of one forward pass of the whole batch.
    public var multiplyAdds: Int { saturating(batch, total.multiplyAdds) }
    /// Forward, gradient of the inputs, gradient of the weights: three times forward.
    public var weightStepMultiplyAdds: Int { saturating(3, multiplyAdds) }
    /// A first-order step of alpha and beta needs no gradient of the weights: two times forward.
    public var architectureStepMultiplyAdds: Int { saturating(2, multiplyAdds) }
    /// A weight step and an architecture step.
    public var searchStepMultiplyAdds: Int { saturating(5, multiplyAdds) }
    /// Bytes of what the backward pass of a batch reads again.
    public var activationBytes: Int { saturating(4 * batch, total.activations) }
    /// Bytes of weights, gradients and momentum.
    public var weightBytes: Int { saturating(12, parameters) }
    public var totalBytes: Int { saturating(1, activationBytes, plus: weightBytes) }
}

extension TrellisSpace {
    /// What the supernet of this space will cost.
    /// - Parameters:
    ///   - height, width: of the crops.
    ///   - batch: images in a batch.
    ///   - classes: of the heads.
    ///   - catalogue: the cost of each operator.
    /// - Throws: `SpaceError` for a size below 1 or an operator without a cost.
    public func estimate(
        height: Int, width: Int, batch: Int = 1, classes: Int = 19, catalogue: OperatorCatalogue = .standard
    ) throws -> SpaceEstimate {
        try checkEstimate(height: height, width: width, batch: batch, classes: classes)
        let sizes = sizes(height: height, width: width)
        var parts = [SpaceEstimate.Part(name: "stem", nodes: 1, arrows: 0, cost: stemCost(height: height, width: width))]
        var unused = 0
        for layer in 1...layers {
            var cost = Cost.zero
            var arrowCount = 0
            for level in levels(atLayer: layer) {
                let node = TrellisNode(layer: layer, level: level)
                let cell = try cellCosts(node, height: sizes[level].height, width: sizes[level].width, catalogue)
                let incoming = incoming(node)
                arrowCount += incoming.count
                cost += inputCost(node, sizes)
                for _ in incoming { cost += Cost(multiplyAdds: cell.used.multiplyAdds, activations: cell.used.activations) }
                let sets = options.operatorSets == .node ? 1 : incoming.count
                cost += Cost(parameters: saturating(sets, saturating(1, cell.used.parameters, plus: cell.unused)))
                unused = saturating(sets, cell.unused, plus: unused)
            }
            parts.append(.init(name: "layer \(layer)", nodes: levels(atLayer: layer).count, arrows: arrowCount, cost: cost))
        }
        parts.append(headsPart(height: height, width: width, sizes, classes: classes))
        return SpaceEstimate(
            height: height, width: width, batch: batch, classes: classes, parts: parts,
            architectureParameters: alphaShape.reduce(1, *) + betaShape.reduce(1, *), unusedParameters: unused)
    }

    /// Sizes below 1, and so large that the counts would not fit an integer.
    private func checkEstimate(height: Int, width: Int, batch: Int, classes: Int) throws {
        for (name, value) in [("crop height", height), ("crop width", width), ("batch", batch), ("classes", classes)] where value < 1 {
            throw SpaceError(
                .size, at: "estimate.\(name)", expected: "at least 1", got: "\(value)", remedy: "give the size that the search will use")
        }
        // With every level the channels double and the pixels shrink to a quarter (to one at least), so what the finest level
        // would need bounds them all. Operators are as wide as a block, inputs and heads as a node.
        let block = Double(filters)
        let node = Double(nodeChannels(level: 0)) + Double(options.headWidth ?? 0) + Double(options.stemWidth ?? 0)
        let pixels = Double(height) * Double(width) + Double(1 << (2 * levels))
        let kernel = max(25, Double(options.downKernel) * Double(options.downKernel))
        let operators = 25 * block * block * Double(cell.edgeCount * cell.operators.count) * Double(arrows.count)
        let inputs = kernel * node * (node + Double(classes)) * Double(arrows.count + 10)
        guard 8 * (operators + inputs) * pixels * Double(batch) < 9e18 else {
            throw SpaceError(
                .size, at: "estimate", expected: "counts below 2^63",
                got: "a crop of \(height)x\(width), batch \(batch), \(classes) classes",
                remedy: "give the sizes that the search will use")
        }
    }

    /// Convolution, affine BN, ReLU each; the image itself is kept too.
    private func stemCost(height: Int, width: Int) -> Cost {
        var cost = Cost(activations: 3 * height * width)
        var (h, w) = (height, width)
        for layer in stem {
            (h, w) = ((h + layer.stride - 1) / layer.stride, (w + layer.stride - 1) / layer.stride)
            let weights = 9 * layer.inChannels * layer.outChannels
            cost += Cost(
                parameters: weights + 2 * layer.outChannels, multiplyAdds: weights * h * w,
                activations: 2 * layer.outChannels * h * w)
        }
        return cost
    }

    /// The preprocessing of a node's inputs: one for the two-back, one for every arrow. Kept: the ReLU, the convolution, the BN.
    private func inputCost(_ node: TrellisNode, _ sizes: [(height: Int, width: Int)]) -> Cost {
        let channels = blockChannels(level: node.level)
        let pixels = sizes[node.level].height * sizes[node.level].width
        func input(from level: Int, kernel: Int, pixelsIn: Int) -> Cost {
            let weights = kernel * kernel * nodeChannels(level: level) * channels
            return Cost(
                parameters: weights + (options.affine ? 2 * channels : 0), multiplyAdds: weights * pixels,
                activations: nodeChannels(level: level) * pixelsIn + 2 * channels * pixels)
        }
        var cost = hasTwoBack(node) ? input(from: node.level, kernel: 1, pixelsIn: pixels) : .zero
        for arrow in incoming(node) {
            if arrow.move == .coarser, options.down == .conv {
                let source = sizes[arrow.from]
                cost += input(from: arrow.from, kernel: options.downKernel, pixelsIn: source.height * source.width)
            } else {
                cost += input(from: arrow.from, kernel: 1, pixelsIn: pixels)
            }
        }
        return cost
    }

    /// The cost of one evaluation of a node's cell, and the parameters of edges without an input.
    private func cellCosts(
        _ node: TrellisNode, height: Int, width: Int, _ catalogue: OperatorCatalogue
    ) throws -> (used: Cost, unused: Int) {
        let site = OperatorSite(
            channels: blockChannels(level: node.level), height: height, width: width, affine: options.affine)
        let edge = try cell.operators.reduce(Cost.zero) { try $0 + catalogue.cost(of: $1, at: site) }
        let absent = hasTwoBack(node) ? 0 : cell.blocks
        // The blocks are kept as states, and their concatenation for the derivative of beta.
        var used = Cost(activations: 2 * cell.blocks * site.volume)
        for _ in 0..<(cell.edgeCount - absent) { used += edge }
        return (used, saturating(absent, edge.parameters))
    }

    /// Three branches of convolution, affine BN and ReLU, their concatenation, a classifier with bias; then the loss.
    private func headsPart(height: Int, width: Int, _ sizes: [(height: Int, width: Int)], classes: Int) -> SpaceEstimate.Part {
        // The log-softmax at the size of the image.
        var cost = Cost(activations: classes * height * width)
        let heads = levels(atLayer: layers)
        for level in heads {
            let input = nodeChannels(level: level)
            let branch = options.headWidth ?? input
            let pixels = sizes[level].height * sizes[level].width
            let weights = input * branch
            cost.parameters += 11 * weights + 6 * branch + 3 * branch * classes + classes
            cost.multiplyAdds += 10 * weights * pixels + weights + 3 * branch * classes * pixels
            cost.activations += (input + 4 * branch + 3 * branch) * pixels + input + 2 * branch
        }
        return .init(name: "heads", nodes: heads.count, arrows: 0, cost: cost)
    }
}

// MARK: - Printing

extension SpaceEstimate: CustomStringConvertible {
    /// A table by layer and what a search step needs.
    public var description: String {
        var rows = [["", "nodes", "arrows", "parameters", "multiply-adds", "activations"]]
        for part in parts {
            rows.append([
                part.name, "\(part.nodes)", part.arrows == 0 ? "" : "\(part.arrows)", NumberText.grouped(part.cost.parameters),
                decimalUnits(saturating(batch, part.cost.multiplyAdds)), byteUnits(saturating(4 * batch, part.cost.activations)),
            ])
        }
        rows.append([
            "total", "", "\(parts.reduce(0) { $0 + $1.arrows })", NumberText.grouped(parameters), decimalUnits(multiplyAdds),
            byteUnits(activationBytes),
        ])
        return """
            \(alignColumns(rows))
            crop \(height)x\(width), batch \(batch), \(classes) classes
            search step  \(decimalUnits(searchStepMultiplyAdds)) multiply-adds \
            (weights \(decimalUnits(weightStepMultiplyAdds)), architecture \(decimalUnits(architectureStepMultiplyAdds)))
            memory       about \(byteUnits(totalBytes)) (activations \(byteUnits(activationBytes)), \
            weights with gradient and momentum \(byteUnits(weightBytes)))
            alpha, beta  \(architectureParameters) numbers
            """
    }
}
