/// Places of a network's boxes and lines: layers along the flow of data, folded into bands like lines of text where they would be too wide.
struct NetworkLayout {
    /// The place of a node.
    struct Box {
        var node: Int
        var frame: Rect
    }

    struct Line {
        enum End {
            case plain
            /// At a box, with an arrow head.
            case arrow
        }

        var from: Point
        var to: Point
        var end: End
        /// The edge that it belongs to; nil for a lane that several share.
        var edge: NetworkDrawing.Edge?
    }

    /// Where a node's value leaves a band or comes into the next one, under a number that both have.
    struct Link {
        var place: Point
        var number: Int
    }

    private(set) var boxes: [Box] = []
    private(set) var lines: [Line] = []
    private(set) var links: [Link] = []
    private(set) var size = Size(0, 0)

    private let drawing: NetworkDrawing
    private let sizes: [Size]
    private let graph: LayeredGraph
    private static let gap = 48.0
    /// Of a band: what a page or a screen shows without making it smaller.
    private static let widest = 1240.0
    private static let linkRoom = 34.0
    private static let bandGap = 34.0
    private static let laneHeight = 8.0

    /// - Parameter sizes: of the nodes' boxes.
    init(_ drawing: NetworkDrawing, sizes: [Size]) {
        self.drawing = drawing
        self.sizes = sizes
        let reads = drawing.nodes.indices.map(drawing.sources)
        graph = LayeredGraph(
            LayeredGraph.layers(count: drawing.nodes.count, sources: { reads[$0] }), sources: { reads[$0] },
            height: { $0.isLane ? NetworkLayout.laneHeight : sizes[$0.node].height })
        place()
    }

    // MARK: - Bands

    private func breadth(_ layer: Int) -> Double { graph.layers[layer].map { $0.isLane ? 0 : sizes[$0.node].width }.max() ?? 0 }

    /// Room between a layer and the one before: wider where lines climb far, or they would be too steep to tell apart.
    private func gap(before layer: Int) -> Double {
        let climbs = graph.layers[layer].indices.flatMap { index -> [Double] in
            graph.sources(of: graph.layers[layer][index]).compactMap { node in
                graph.layers[layer - 1].firstIndex { $0.node == node }.map { abs(graph.centres[layer - 1][$0] - graph.centres[layer][index]) }
            }
        }
        return NetworkLayout.gap + min(80, 0.25 * max(0, (climbs.max() ?? 0) - 60))
    }

    /// The number of values that pass from a layer to the next.
    private func crossing(after layer: Int) -> Int { Set(graph.layers[layer + 1].flatMap(graph.sources(of:))).count }

    /// Layers by bands: as many as fit, broken where the fewest values pass.
    private func bands() -> [Range<Int>] {
        var bands: [Range<Int>] = []
        var first = 0
        while first < graph.layers.count {
            var width = breadth(first), last = first
            while last + 1 < graph.layers.count {
                width += gap(before: last + 1) + breadth(last + 1)
                if width > NetworkLayout.widest { break }
                last += 1
            }
            // What little is left over is not worth a band of its own.
            let rest = (last + 1..<graph.layers.count).reduce(0) { $0 + gap(before: $1) + breadth($1) }
            if width - (last + 1 < graph.layers.count ? gap(before: last + 1) + breadth(last + 1) : 0) + rest < NetworkLayout.widest * 1.25 { last = graph.layers.count - 1 }
            if last + 1 < graph.layers.count, last > first {
                // Only in the last third: bands are to be of like width.
                let earliest = first + (last - first) * 2 / 3
                last = (earliest...last).min { (crossing(after: $0), $1) < (crossing(after: $1), $0) } ?? last
            }
            bands.append(first..<last + 1)
            first = last + 1
        }
        return bands
    }

    // MARK: - Places

    private mutating func place() {
        var top = 0.0
        var exits: [Int: Point] = [:]
        for (number, band) in bands().enumerated() {
            let tops = band.flatMap { layer in graph.layers[layer].indices.map { graph.centres[layer][$0] - height(graph.layers[layer][$0]) / 2 } }
            let bottoms = band.flatMap { layer in graph.layers[layer].indices.map { graph.centres[layer][$0] + height(graph.layers[layer][$0]) / 2 } }
            let shift = top - (tops.min() ?? 0)
            var x = 0.0
            for layer in band {
                if layer > 0 {
                    if layer == band.lowerBound {
                        exits = link(exits, into: layer, shift)
                        x = NetworkLayout.linkRoom
                    }
                    x += gap(before: layer)
                    if layer == band.lowerBound { x -= NetworkLayout.gap / 2 }
                }
                exits = place(layer, x, shift, exits)
                x += breadth(layer)
            }
            size.width = max(size.width, x + (number + 1 < bands().count ? NetworkLayout.linkRoom + 8 : 0))
            top += (bottoms.max() ?? 0) - (tops.min() ?? 0) + NetworkLayout.bandGap
        }
        size.height = max(0, top - NetworkLayout.bandGap)
    }

    private func height(_ slot: LayeredGraph.Slot) -> Double { slot.isLane ? NetworkLayout.laneHeight : sizes[slot.node].height }

    /// Ends what leaves a band in numbered links, and begins the next one with them.
    /// - Returns: where values come from in the next band.
    private mutating func link(_ exits: [Int: Point], into layer: Int, _ shift: Double) -> [Int: Point] {
        var entries: [Int: Point] = [:]
        let wanted = Set(graph.layers[layer].flatMap(graph.sources(of:)))
        for (node, point) in exits.sorted(by: { $0.value.y < $1.value.y }) where wanted.contains(node) {
            let number = entries.count + 1
            let out = Point(point.x + NetworkLayout.linkRoom - 8, point.y)
            lines.append(Line(from: point, to: out, end: .plain, edge: nil))
            links.append(Link(place: out, number: number))
            // At the height of what reads it; apart from the one before.
            let readers = graph.layers[layer].indices.filter { graph.sources(of: graph.layers[layer][$0]).contains(node) }.map { graph.centres[layer][$0] + shift }
            let y = max(readers.reduce(0, +) / Double(max(1, readers.count)), (entries.values.map(\.y).max() ?? -1e9) + 20)
            let entry = Point(10, y)
            links.append(Link(place: entry, number: number))
            entries[node] = Point(entry.x + 8, y)
        }
        return entries
    }

    /// Places a layer with the lines into it.
    /// - Returns: where values leave it.
    private mutating func place(_ layer: Int, _ x: Double, _ shift: Double, _ before: [Int: Point]) -> [Int: Point] {
        var exits: [Int: Point] = [:]
        let breadth = breadth(layer)
        for (index, slot) in graph.layers[layer].enumerated() {
            let y = graph.centres[layer][index] + shift
            guard !slot.isLane else {
                if let from = before[slot.node] {
                    let edge = onlyEdge(of: slot.node)
                    lines.append(Line(from: from, to: Point(x, y), end: .plain, edge: edge))
                    lines.append(Line(from: Point(x, y), to: Point(x + breadth, y), end: .plain, edge: edge))
                }
                exits[slot.node] = Point(x + breadth, y)
                continue
            }
            let own = sizes[slot.node]
            let frame = Rect(x + (breadth - own.width) / 2, y - own.height / 2, own.width, own.height)
            boxes.append(Box(node: slot.node, frame: frame))
            let sources = drawing.sources(slot.node).sorted { (before[$0]?.y ?? 0, $0) < (before[$1]?.y ?? 0, $1) }
            let step = sources.count > 1 ? min(14, (own.height - 12) / Double(sources.count - 1)) : 0
            for (position, source) in sources.enumerated() {
                guard let from = before[source] else { continue }
                let entry = Point(frame.x, y + (Double(position) - Double(sources.count - 1) / 2) * max(0, step))
                lines.append(Line(from: from, to: entry, end: .arrow, edge: drawing.edges.first { $0.from == source && $0.to == slot.node }))
            }
            exits[slot.node] = Point(frame.maxX, y)
        }
        return exits
    }

    private func onlyEdge(of node: Int) -> NetworkDrawing.Edge? {
        let edges = drawing.edges.filter { $0.from == node }
        return edges.count == 1 ? edges[0] : nil
    }
}
