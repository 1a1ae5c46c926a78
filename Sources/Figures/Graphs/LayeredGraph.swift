/// A graph drawn in layers, after Sugiyama: order in the layers by barycentres with the fewest crossings, heights by averaging. What is read further to the right
/// passes each layer between in a lane of its own, which all its readers share; so no line runs through a box.
struct LayeredGraph {
    /// A place in a layer: a node's box, or the lane where a node's value passes.
    struct Slot: Hashable {
        var node: Int
        var isLane: Bool
    }

    private(set) var layers: [[Slot]]
    /// The middle of each slot, from the top of the highest.
    private(set) var centres: [[Double]] = []
    /// What a node reads, each at most once a connection.
    private let sources: (Int) -> [Int]
    private let height: (Slot) -> Double
    private static let space = 18.0

    /// - Parameters:
    ///   - layers: slots from the left; what a slot reads stands, as box or lane, in the layer before.
    ///   - sources: the nodes that a node reads.
    ///   - height: of a slot.
    init(_ layers: [[Slot]], sources: @escaping (Int) -> [Int], height: @escaping (Slot) -> Double) {
        self.layers = layers
        self.sources = sources
        self.height = height
        order()
        assignHeights()
    }

    /// Layers by longest path, with lanes.
    /// - Parameter count: of nodes; each reads only such of lower numbers.
    static func layers(count: Int, sources: (Int) -> [Int]) -> [[Slot]] {
        var layerOf = [Int](repeating: 0, count: count), lastUse = [Int](repeating: 0, count: count)
        for node in 0..<count { layerOf[node] = (sources(node).map { layerOf[$0] + 1 }.max() ?? 0) }
        for node in 0..<count { for source in sources(node) { lastUse[source] = max(lastUse[source], layerOf[node]) } }
        var layers = [[Slot]](repeating: [], count: (layerOf.max() ?? 0) + 1)
        for node in 0..<count {
            layers[layerOf[node]].append(Slot(node: node, isLane: false))
            for layer in stride(from: layerOf[node] + 1, to: lastUse[node], by: 1) { layers[layer].append(Slot(node: node, isLane: true)) }
        }
        return layers
    }

    /// The nodes that a slot is connected with in the layer before.
    func sources(of slot: Slot) -> [Int] { slot.isLane ? [slot.node] : sources(slot.node) }

    // MARK: - Order

    private mutating func order() {
        guard layers.count > 1 else { return }
        var best = layers
        var fewest = crossings(layers)
        // Both starting orders of the inputs are tried; each is swept until nothing more can be hoped for.
        for start in [layers, [layers[0].reversed()] + layers.dropFirst()] {
            layers = start
            for sweep in 0..<24 {
                if sweep % 2 == 0 {
                    for layer in layers.indices.dropFirst() {
                        layers[layer] = sorted(layer) { barycentre(of: sources(of: $0), in: layer - 1) }
                    }
                } else {
                    for layer in layers.indices.dropLast().reversed() {
                        layers[layer] = sorted(layer) { barycentre(ofReadersOf: $0.node, in: layer + 1) }
                    }
                }
                let now = crossings(layers)
                if now < fewest { (best, fewest) = (layers, now) }
            }
        }
        layers = best
    }

    private func sorted(_ layer: Int, by key: (Slot) -> Double?) -> [Slot] {
        let keyed = layers[layer].enumerated().map { (slot: $1, key: key($1) ?? Double($0), position: $0) }
        return keyed.sorted { ($0.key, $0.position) < ($1.key, $1.position) }.map(\.slot)
    }

    private func barycentre(of nodes: [Int], in layer: Int) -> Double? {
        let positions = nodes.compactMap { node in layers[layer].firstIndex { $0.node == node } }
        return positions.isEmpty ? nil : Double(positions.reduce(0, +)) / Double(positions.count)
    }

    private func barycentre(ofReadersOf node: Int, in layer: Int) -> Double? {
        let positions = layers[layer].indices.filter { sources(of: layers[layer][$0]).contains(node) }
        return positions.isEmpty ? nil : Double(positions.reduce(0, +)) / Double(positions.count)
    }

    private func crossings(_ layers: [[Slot]]) -> Int {
        var count = 0
        for layer in layers.indices.dropFirst() {
            var lines: [(Int, Int)] = []
            for (to, slot) in layers[layer].enumerated() {
                for node in sources(of: slot) {
                    if let from = layers[layer - 1].firstIndex(where: { $0.node == node }) { lines.append((from, to)) }
                }
            }
            for (i, a) in lines.enumerated() {
                for b in lines[(i + 1)...] where (a.0 - b.0) * (a.1 - b.1) < 0 { count += 1 }
            }
        }
        return count
    }

    // MARK: - Heights

    private mutating func assignHeights() {
        centres = layers.map { layer in
            var y = 0.0
            return layer.map { slot in
                defer { y += height(slot) + LayeredGraph.space }
                return y + height(slot) / 2
            }
        }
        // Layers start around a common middle; then each slot is drawn to its neighbours as far as its layer's order lets it.
        for layer in layers.indices {
            let total = zip(layers[layer], centres[layer]).map { $1 + height($0) / 2 }.max() ?? 0
            centres[layer] = centres[layer].map { $0 - total / 2 }
        }
        for sweep in 0..<40 {
            let forward = sweep % 2 == 0
            for layer in forward ? Array(layers.indices) : layers.indices.reversed() {
                let wanted = layers[layer].indices.map { index -> Double in
                    let neighbours = neighbourHeights(layer, index)
                    return neighbours.isEmpty ? centres[layer][index] : neighbours.reduce(0, +) / Double(neighbours.count)
                }
                centres[layer] = separated(layer, wanted)
            }
        }
        let top = layers.indices.flatMap { l in layers[l].indices.map { centres[l][$0] - height(layers[l][$0]) / 2 } }.min() ?? 0
        centres = centres.map { $0.map { $0 - top } }
    }

    private func neighbourHeights(_ layer: Int, _ index: Int) -> [Double] {
        let slot = layers[layer][index]
        var heights: [Double] = []
        if layer > 0 {
            for node in sources(of: slot) {
                if let from = layers[layer - 1].firstIndex(where: { $0.node == node }) { heights.append(centres[layer - 1][from]) }
            }
        }
        if layer + 1 < layers.count {
            for (to, reader) in layers[layer + 1].enumerated() where sources(of: reader).contains(slot.node) {
                heights.append(centres[layer + 1][to])
                // A lane should run straight on: it pulls as hard as everything else together.
                if slot.isLane || reader.isLane { heights.append(centres[layer + 1][to]) }
            }
        }
        return heights
    }

    /// The wanted centres, pushed apart so that order and distances hold, by pooling neighbours that collide (isotonic regression).
    private func separated(_ layer: Int, _ wanted: [Double]) -> [Double] {
        let slots = layers[layer]
        guard !slots.isEmpty else { return [] }
        var offsets = [0.0]
        for index in slots.indices.dropFirst() {
            offsets.append(offsets[index - 1] + (height(slots[index - 1]) + height(slots[index])) / 2 + LayeredGraph.space)
        }
        var pools: [(sum: Double, count: Int)] = []
        for index in slots.indices {
            pools.append((wanted[index] - offsets[index], 1))
            while pools.count > 1 {
                let (last, before) = (pools[pools.count - 1], pools[pools.count - 2])
                guard before.sum / Double(before.count) > last.sum / Double(last.count) else { break }
                pools.removeLast(2)
                pools.append((before.sum + last.sum, before.count + last.count))
            }
        }
        let shifts = pools.flatMap { [Double](repeating: $0.sum / Double($0.count), count: $0.count) }
        return zip(shifts, offsets).map { $0 + $1 }
    }
}
