import Networks
import Tensors

extension DerivedNetwork {
    /// Starts from a supernet's weights: the operators that the cell chose at each layer's node, with the running statistics of the arrow that
    /// the path takes, and of inputs, stem and ASPP what has the same shape. The rest keeps its initial values; batch norms of the search
    /// have no scale and shift, so those stay at 1 and 0.
    /// - Returns: which of the network's stored tensors (parameters and running statistics) were taken, which have no counterpart, and whose has another
    ///   shape; what the supernet has besides is not listed.
    /// - Throws: `SpaceError` for an architecture that does not fit the supernet's space, or where no tensor has its shape.
    @discardableResult
    public func takeWeights(from supernet: Supernet) throws -> LoadReport {
        let space = try supernet.space.requireTrellis(for: "from")
        try architecture.validate(in: space)
        let source = Dictionary(supernet.state().map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
        let names = InheritedNames(architecture, space)
        let found = state().compactMap { name, _ in names.source(of: name).flatMap { source[$0] }.map { (name, $0) } }
        let values = Dictionary(found, uniquingKeysWith: { first, _ in first })
        let report = fit(of: values)
        guard !report.taken.isEmpty else {
            throw SpaceError(
                .misfit, at: "from", expected: "a supernet of whose tensors some have this network's shapes", got: "none of \(state().count)",
                remedy: "use the supernet's filters, or leave it out")
        }
        return try load(values, strict: false)
    }
}

/// Where in a supernet a tensor of a derived network has its counterpart.
private struct InheritedNames {
    private let space: TrellisSpace
    private let architecture: Architecture
    private let levels: [Int]

    init(_ architecture: Architecture, _ space: TrellisSpace) {
        self.space = space
        self.architecture = architecture
        // By layer, the stem's first.
        levels = [0] + architecture.path.map { space.level(ofStride: $0) ?? 0 }
    }

    /// - Returns: nil for a tensor that has none.
    func source(of name: String) -> String? {
        let parts = name.split(separator: ".").map(String.init)
        guard let part = parts.first else { return nil }
        let rest = parts.dropFirst()
        switch part {
        case "stem": return stem(Array(rest))
        case "cells": return rest.first.flatMap(Int.init).flatMap { cell($0, Array(rest.dropFirst())) }
        case "aspp": return head(Array(rest))
        default: return nil
        }
    }

    /// The first and the last layer have the same inputs and outputs in both; a layer between has no counterpart of its own.
    private func stem(_ rest: [String]) -> String? {
        let count = DerivedLayout(architecture, filters: 1, widths: DerivedWidths()).stem.count
        guard let layer = rest.first.flatMap(Int.init), layer == 1 || layer == count else { return nil }
        return (["stem", "\(layer == 1 ? 1 : space.stem.count)"] + rest.dropFirst()).joined(separator: ".")
    }

    private func head(_ rest: [String]) -> String? {
        let stride = architecture.path[architecture.path.count - 1]
        switch (rest.first, rest.dropFirst().first) {
        case ("conv1x1", _), ("pool", _): return (["heads", "\(stride)"] + rest).joined(separator: ".")
        case ("atrous", "1"): return (["heads", "\(stride)", "atrous"] + rest.dropFirst(2)).joined(separator: ".")
        default: return nil
        }
    }

    private func cell(_ layer: Int, _ rest: [String]) -> String? {
        let node = ["nodes", "\(layer)", "\(architecture.path[layer - 1])"]
        let arrow = Move.allCases[levels[layer] - levels[layer - 1] + 1].arrowName
        guard rest.count > 2 else { return nil }
        switch (rest[0], rest[1]) {
        case ("input", "previous"): return (node + ["input", arrow] + projection(rest.dropFirst(2))).joined(separator: ".")
        case ("input", "back"):
            guard layer >= 2, levels[layer - 2] == levels[layer] else { return nil }
            return (node + ["input", "back"] + projection(rest.dropFirst(2))).joined(separator: ".")
        case ("block", _):
            guard rest.count > 4, let block = Int(rest[1]), let branch = Int(rest[2]) else { return nil }
            let state = architecture.cell.blocks[block - 1].branches[branch - 1].state
            let set = space.options.operatorSets == .node ? "block" : "block_" + arrow
            var inner = Array(rest.dropFirst(3))
            // An operator without strides stands behind a resize.
            if inner.count > 1, inner[1] == "operator" { inner.remove(at: 1) }
            // Running statistics are kept by arrow, but for the two-back input, which is the same for all.
            if let last = inner.last, last.hasPrefix("running_"), state != 1 { inner.append(arrow) }
            return (node + [set, "\(block)", "\(state)"] + inner).joined(separator: ".")
        default: return nil
        }
    }

    /// A supernet's input holds its convolution's weight itself.
    private func projection(_ rest: ArraySlice<String>) -> [String] { Array(rest.first == "conv" ? rest.dropFirst() : rest) }
}
