/// Places of a cell's boxes and lines: layers by longest path, the rest as `LayeredGraph` has it.
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

    /// Nodes are states.
    typealias Slot = LayeredGraph.Slot

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
        let graph = LayeredGraph(
            layers, sources: { $0 > 2 ? drawing.blocks[$0 - 3].map(\.state) : [] }, height: { [drawing] in CellLayout.height($0, drawing) })
        (layers, centres) = (graph.layers, graph.centres)
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
            layers[layerOf[state]].append(Slot(node: state, isLane: false))
            for layer in stride(from: layerOf[state] + 1, through: end, by: 1) {
                layers[layer].append(Slot(node: state, isLane: true))
            }
        }
    }

    /// The states that a slot is connected with in the layer before.
    private func sources(_ slot: Slot) -> [Int] {
        if slot.isLane { return [slot.node] }
        return slot.node > 2 ? drawing.blocks[slot.node - 3].map(\.state) : []
    }

    // MARK: - Places

    private static func height(_ slot: Slot, _ drawing: CellDrawing) -> Double {
        if slot.isLane { return 10 }
        if slot.node <= 2 { return 34 }
        return CellLayout.headerHeight + CellLayout.rowHeight * Double(max(1, drawing.blocks[slot.node - 3].count)) + 4
    }

    private func width(_ slot: Slot) -> Double {
        if slot.isLane { return 0 }
        if slot.node <= 2 { return theme.label.width(drawing.name(ofState: slot.node)) + 20 }
        let rows = drawing.blocks[slot.node - 3].map {
            theme.small.width($0.name) + ($0.weight == nil ? 0 : theme.tiny.width("0.00") + 10)
        }
        let header = theme.strong.width("block \(slot.node - 2)") + 14 + theme.tiny.width("sum")
        return max(header, (rows.max() ?? 0) + 8) + 18
    }

    /// Room between a layer and the next: wider where lines climb far, or they would be too steep to tell apart.
    private func gap(after layer: Int) -> Double {
        guard layer + 1 < layers.count else { return CellLayout.gap }
        let climbs = layers[layer + 1].indices.flatMap { index -> [Double] in
            sources(layers[layer + 1][index]).compactMap { state in
                layers[layer].firstIndex { $0.node == state }.map { abs(centres[layer][$0] - centres[layer + 1][index]) }
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
                exit[slot.node] = Point(x + breadth, y)
            }
            exits.append(exit)
            x += breadth + gap(after: layer)
        }
        placeOutput(x, exits[layers.count - 1])
        let bottom = boxes.map(\.frame.maxY).max() ?? 0
        size = Size(boxes.map(\.frame.maxX).max() ?? 0, max(bottom, edges.map { max($0.from.y, $0.to.y) }.max() ?? 0))
    }

    private mutating func passLane(_ slot: Slot, _ y: Double, _ x: Double, _ breadth: Double, _ layer: Int, _ before: [Int: Point]) {
        guard let from = before[slot.node] else { return }
        let onlyOutput = lastUse[slot.node] <= layer
        let edge = Edge(state: slot.node, from: from, to: Point(x, y), arrives: false, onlyOutput: onlyOutput)
        let through = Edge(state: slot.node, from: Point(x, y), to: Point(x + breadth, y), arrives: false, onlyOutput: onlyOutput)
        edges += [edge, through]
    }

    private mutating func placeBox(_ slot: Slot, _ y: Double, _ x: Double, _ breadth: Double, _ before: [Int: Point]) {
        // Boxes of a layer are equally wide, so that lines leave from one vertical.
        let frame = Rect(x, y - CellLayout.height(slot, drawing) / 2, breadth, CellLayout.height(slot, drawing))
        guard slot.node > 2 else {
            boxes.append(Box(kind: .input(slot.node), frame: frame))
            return
        }
        var box = Box(kind: .block(slot.node - 2), frame: frame)
        // A sum has no order: rows stand as their lines arrive.
        let operators = drawing.blocks[slot.node - 3].enumerated().sorted {
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
