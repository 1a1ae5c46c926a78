/// Places of a cell's boxes and lines, after Sugiyama: layers by longest path, order in the layers by barycentres with the fewest
/// crossings, heights by averaging. A state that is read further to the right passes each layer between in a lane of its own, which
/// all its readers share; so no line runs through a box, however many blocks there are.
struct CellLayout {
    enum Kind: Hashable { case input(Int), block(Int), output }

    struct Row: Hashable {
        var op: CellOperator
        var y: Double
    }

    struct Box: Hashable {
        var kind: Kind
        var frame: Rect
        var rows: [Row] = []
    }

    struct Edge: Hashable {
        var state: Int
        var from: Point
        var to: Point
        /// Ends at a box, with an arrow head.
        var arrives: Bool
        /// From here on only the concatenation reads the state.
        var onlyOutput: Bool
    }

    static let headerHeight = 22.0
    static let rowHeight = 22.0
    private static let gap = 62.0

    private(set) var boxes: [Box] = []
    private(set) var edges: [Edge] = []
    private(set) var size = Size(0, 0)

    /// A place in a layer: a state's box, or the lane where a state passes.
    struct Slot: Hashable {
        var state: Int
        var isLane: Bool
    }

    private let drawing: CellDrawing
    private let theme: Theme
    private var layers: [[Slot]] = []
    private var centres: [[Double]] = []
    private var layerOf: [Int] = []
    private var lastUse: [Int] = []

    init(_ drawing: CellDrawing, _ theme: Theme) {
        self.drawing = drawing
        self.theme = theme
        assignLayers()
        order()
        assignHeights()
        place()
    }

    // MARK: - Layers

    /// States count from 1; index 0 of the tables is unused.
    private mutating func assignLayers() {
        let count = drawing.blocks.count + 2
        layerOf = [Int](repeating: 0, count: count + 1)
        lastUse = [Int](repeating: 0, count: count + 1)
        for (index, block) in drawing.blocks.enumerated() {
            let sources = block.map { layerOf[$0.state] }
            layerOf[index + 3] = (sources.max() ?? 0) + 1
        }
        for (index, block) in drawing.blocks.enumerated() {
            for op in block { lastUse[op.state] = max(lastUse[op.state], layerOf[index + 3]) }
        }
        let depth = (layerOf.max() ?? 0) + 1  // the layer of the concatenation
        layers = [[Slot]](repeating: [], count: depth)
        for state in 1...count {
            // Blocks go on to the concatenation, the inputs only to their last reader.
            let end = state > 2 ? depth - 1 : lastUse[state] - 1
            layers[layerOf[state]].append(Slot(state: state, isLane: false))
            for layer in stride(from: layerOf[state] + 1, through: end, by: 1) {
                layers[layer].append(Slot(state: state, isLane: true))
            }
        }
    }

    /// The states that a slot is connected with in the layer before.
    private func sources(_ slot: Slot) -> [Int] {
        if slot.isLane { return [slot.state] }
        return slot.state > 2 ? drawing.blocks[slot.state - 3].map(\.state) : []
    }

    // MARK: - Order

    private mutating func order() {
        var best = layers
        var fewest = crossings(layers)
        // Both starting orders of the inputs are tried; each is swept until nothing more can be hoped for.
        for start in [layers, [layers[0].reversed()] + layers.dropFirst()] {
            layers = start
            for sweep in 0..<24 {
                if sweep % 2 == 0 {
                    for layer in layers.indices.dropFirst() {
                        layers[layer] = sorted(layer) { barycentre(of: sources($0), in: layer - 1) }
                    }
                } else {
                    for layer in layers.indices.dropLast().reversed() {
                        layers[layer] = sorted(layer) { barycentre(ofReadersOf: $0.state, in: layer + 1) }
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

    private func barycentre(of states: [Int], in layer: Int) -> Double? {
        let positions = states.compactMap { state in layers[layer].firstIndex { $0.state == state } }
        return positions.isEmpty ? nil : Double(positions.reduce(0, +)) / Double(positions.count)
    }

    private func barycentre(ofReadersOf state: Int, in layer: Int) -> Double? {
        let positions = layers[layer].indices.filter { sources(layers[layer][$0]).contains(state) }
        return positions.isEmpty ? nil : Double(positions.reduce(0, +)) / Double(positions.count)
    }

    private func crossings(_ layers: [[Slot]]) -> Int {
        var count = 0
        for layer in layers.indices.dropFirst() {
            var lines: [(Int, Int)] = []
            for (to, slot) in layers[layer].enumerated() {
                for state in sources(slot) {
                    if let from = layers[layer - 1].firstIndex(where: { $0.state == state }) { lines.append((from, to)) }
                }
            }
            for (i, a) in lines.enumerated() {
                for b in lines[(i + 1)...] where (a.0 - b.0) * (a.1 - b.1) < 0 { count += 1 }
            }
        }
        return count
    }

    // MARK: - Heights

    private func height(_ slot: Slot) -> Double {
        if slot.isLane { return 10 }
        if slot.state <= 2 { return 34 }
        return CellLayout.headerHeight + CellLayout.rowHeight * Double(max(1, drawing.blocks[slot.state - 3].count)) + 4
    }

    private mutating func assignHeights() {
        let space = 18.0
        centres = layers.map { layer in
            var y = 0.0
            return layer.map { slot in
                defer { y += height(slot) + space }
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
                centres[layer] = separated(layer, wanted, space)
            }
        }
        let top = layers.indices.flatMap { l in layers[l].indices.map { centres[l][$0] - height(layers[l][$0]) / 2 } }.min() ?? 0
        centres = centres.map { $0.map { $0 - top } }
    }

    private func neighbourHeights(_ layer: Int, _ index: Int) -> [Double] {
        let slot = layers[layer][index]
        var heights: [Double] = []
        if layer > 0 {
            for state in sources(slot) {
                if let from = layers[layer - 1].firstIndex(where: { $0.state == state }) { heights.append(centres[layer - 1][from]) }
            }
        }
        if layer + 1 < layers.count {
            for (to, reader) in layers[layer + 1].enumerated() where sources(reader).contains(slot.state) {
                heights.append(centres[layer + 1][to])
                // A lane should run straight on: it pulls as hard as everything else together.
                if slot.isLane || reader.isLane { heights.append(centres[layer + 1][to]) }
            }
        }
        return heights
    }

    /// The wanted centres, pushed apart so that order and distances hold, by pooling neighbours that collide (isotonic regression).
    private func separated(_ layer: Int, _ wanted: [Double], _ space: Double) -> [Double] {
        let slots = layers[layer]
        guard !slots.isEmpty else { return [] }
        var offsets = [0.0]
        for index in slots.indices.dropFirst() {
            offsets.append(offsets[index - 1] + (height(slots[index - 1]) + height(slots[index])) / 2 + space)
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

    // MARK: - Places

    private func width(_ slot: Slot) -> Double {
        if slot.isLane { return 0 }
        if slot.state <= 2 { return theme.label.width(drawing.name(ofState: slot.state)) + 20 }
        let rows = drawing.blocks[slot.state - 3].map {
            theme.small.width($0.name) + ($0.weight == nil ? 0 : theme.tiny.width("0.00") + 10)
        }
        let header = theme.strong.width("block \(slot.state - 2)") + 14 + theme.tiny.width("sum")
        return max(header, (rows.max() ?? 0) + 8) + 18
    }

    /// Room between a layer and the next: wider where lines climb far, or they would be too steep to tell apart.
    private func gap(after layer: Int) -> Double {
        guard layer + 1 < layers.count else { return CellLayout.gap }
        let climbs = layers[layer + 1].indices.flatMap { index -> [Double] in
            sources(layers[layer + 1][index]).compactMap { state in
                layers[layer].firstIndex { $0.state == state }.map { abs(centres[layer][$0] - centres[layer + 1][index]) }
            }
        }
        return CellLayout.gap + min(70, 0.3 * max(0, (climbs.max() ?? 0) - 80))
    }

    private mutating func place() {
        var x = 0.0
        var exits: [[Int: Point]] = []  // for each layer: where a state leaves it to the right
        for layer in layers.indices {
            let breadth = layers[layer].map(width).max() ?? 0
            var exit: [Int: Point] = [:]
            for (index, slot) in layers[layer].enumerated() {
                let y = centres[layer][index]
                let before = layer > 0 ? exits[layer - 1] : [:]
                if slot.isLane {
                    passLane(slot, y, x, breadth, layer, before)
                } else {
                    placeBox(slot, y, x, breadth, before)
                }
                exit[slot.state] = Point(x + breadth, y)
            }
            exits.append(exit)
            x += breadth + gap(after: layer)
        }
        placeOutput(x, exits[layers.count - 1])
        let bottom = boxes.map(\.frame.maxY).max() ?? 0
        size = Size(boxes.map(\.frame.maxX).max() ?? 0, max(bottom, edges.map { max($0.from.y, $0.to.y) }.max() ?? 0))
    }

    private mutating func passLane(_ slot: Slot, _ y: Double, _ x: Double, _ breadth: Double, _ layer: Int, _ before: [Int: Point]) {
        guard let from = before[slot.state] else { return }
        let onlyOutput = lastUse[slot.state] <= layer
        let edge = Edge(state: slot.state, from: from, to: Point(x, y), arrives: false, onlyOutput: onlyOutput)
        let through = Edge(state: slot.state, from: Point(x, y), to: Point(x + breadth, y), arrives: false, onlyOutput: onlyOutput)
        edges += [edge, through]
    }

    private mutating func placeBox(_ slot: Slot, _ y: Double, _ x: Double, _ breadth: Double, _ before: [Int: Point]) {
        // Boxes of a layer are equally wide, so that lines leave from one vertical.
        let frame = Rect(x, y - height(slot) / 2, breadth, height(slot))
        guard slot.state > 2 else {
            boxes.append(Box(kind: .input(slot.state), frame: frame))
            return
        }
        var box = Box(kind: .block(slot.state - 2), frame: frame)
        // A sum has no order: rows stand as their lines arrive.
        let operators = drawing.blocks[slot.state - 3].enumerated().sorted {
            (before[$0.element.state]?.y ?? 0, $0.offset) < (before[$1.element.state]?.y ?? 0, $1.offset)
        }.map(\.element)
        for (index, op) in operators.enumerated() {
            let rowY = frame.y + CellLayout.headerHeight + CellLayout.rowHeight * (Double(index) + 0.5)
            box.rows.append(Row(op: op, y: rowY))
            guard let from = before[op.state] else { continue }
            edges.append(Edge(state: op.state, from: from, to: Point(x, rowY), arrives: true, onlyOutput: false))
        }
        boxes.append(box)
    }

    private mutating func placeOutput(_ x: Double, _ before: [Int: Point]) {
        let states = before.filter { $0.key > 2 }.sorted { $0.value.y < $1.value.y }
        let middle = states.map(\.value.y).reduce(0, +) / Double(max(1, states.count))
        let height = max(theme.label.width("concat") + 18, 16 * Double(states.count) + 8)
        let frame = Rect(x, max(0, middle - height / 2), 28, height)
        for (index, state) in states.enumerated() {
            let y = frame.y + frame.height * (Double(index) + 0.5) / Double(states.count)
            edges.append(Edge(state: state.key, from: state.value, to: Point(x, y), arrives: true, onlyOutput: true))
        }
        boxes.append(Box(kind: .output, frame: frame))
    }
}
