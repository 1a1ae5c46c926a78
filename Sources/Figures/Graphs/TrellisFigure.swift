/// One arrow of a trellis: into node (`layer`, `to`) from node (`layer - 1`, `from`); strides as written, layers from 1.
public struct TrellisArrow: Hashable, Sendable {
    public var layer: Int
    public var from: Int
    public var to: Int
    /// The normalised beta, in 0...1; NaN where none is known yet.
    public var probability: Double

    /// An arrow into (`layer`, `to`) from (`layer - 1`, `from`).
    public init(layer: Int, from: Int, to: Int, probability: Double = .nan) {
        self.layer = layer
        self.from = from
        self.to = to
        self.probability = probability
    }
}

/// A trellis of layers and strides as plain data, for drawing: what exists, how probable it is, what was decoded.
public struct TrellisDrawing: Hashable, Sendable {
    /// Number of layers, at least 1. Layer 0 is the stem.
    public let layers: Int
    /// Strides of the rows, from the finest; the stem stands at the first.
    public let strides: [Int]
    public let arrows: [TrellisArrow]
    /// The decoded stride of each layer, or nil.
    public let path: [Int]?

    /// Rows of the nodes that exist, for layers 0...`layers`: the stem and every end of an arrow.
    let nodes: [[Bool]]

    /// - Throws: `FigureError.invalid` for an arrow or a path that does not fit the layers and strides.
    public init(layers: Int, strides: [Int], arrows: [TrellisArrow], path: [Int]? = nil) throws {
        guard layers >= 1 else { throw FigureError.invalid("trellis: expected at least 1 layer, got \(layers)") }
        guard let first = strides.first, Set(strides).count == strides.count else {
            throw FigureError.invalid("trellis: expected at least one stride and each once, got \(strides)")
        }
        var nodes = [[Bool]](repeating: [Bool](repeating: false, count: strides.count), count: layers + 1)
        for arrow in arrows {
            guard (1...layers).contains(arrow.layer), let from = strides.firstIndex(of: arrow.from),
                let to = strides.firstIndex(of: arrow.to), arrow.layer > 1 || arrow.from == first
            else {
                throw FigureError.invalid(
                    "trellis: the arrow from stride \(arrow.from) to \(arrow.to) at layer \(arrow.layer) does not fit "
                        + "\(layers) layers of strides \(strides) with the stem at stride \(first)")
            }
            nodes[arrow.layer - 1][from] = true
            nodes[arrow.layer][to] = true
        }
        nodes[0][0] = true
        if let path {
            guard path.count == layers else {
                throw FigureError.invalid("trellis: a path needs one stride a layer, \(layers), got \(path.count)")
            }
            for (index, stride) in path.enumerated() {
                guard let row = strides.firstIndex(of: stride) else {
                    throw FigureError.invalid("trellis: stride \(stride) of the path at layer \(index + 1) is none of \(strides)")
                }
                nodes[index + 1][row] = true
            }
        }
        self.layers = layers
        self.strides = strides
        self.arrows = arrows
        self.path = path
        self.nodes = nodes
    }

    /// A path alone, without a space around it.
    public init(path: [Int], strides: [Int]) throws {
        try self.init(layers: path.count, strides: strides, arrows: [], path: path)
    }

    /// Rows of the path for layers 0...`layers`; the stem is row 0.
    var pathRows: [Int]? {
        path.map { [0] + $0.compactMap { strides.firstIndex(of: $0) } }
    }

    /// Whether the arrow lies on the decoded path.
    func onPath(_ arrow: TrellisArrow) -> Bool {
        guard let rows = pathRows else { return false }
        return strides[rows[arrow.layer - 1]] == arrow.from && strides[rows[arrow.layer]] == arrow.to
    }

    /// Arrows of the decoded path, with the probability of those the space has.
    var pathArrows: [TrellisArrow] {
        guard let rows = pathRows else { return [] }
        return (1...layers).map { layer in
            let (from, to) = (strides[rows[layer - 1]], strides[rows[layer]])
            return arrows.first { $0.layer == layer && $0.from == from && $0.to == to } ?? TrellisArrow(layer: layer, from: from, to: to)
        }
    }

    /// Whether any arrow has a probability.
    var hasProbabilities: Bool { arrows.contains { $0.probability.isFinite } }
}

/// The trellis: layers to the right, strides downwards, arrows whose width and colour are their probability, the decoded path on top.
public struct TrellisFigure: Figure {
    public var drawing: TrellisDrawing
    public var title: String?
    public var theme = Theme.light
    /// What stands in the boxes behind the last layer; empty for no boxes.
    public var headLabel = "ASPP"
    /// What stands in the box of layer 0.
    public var stemLabel = "stem"
    /// Heading of the colour legend.
    public var legendLabel = "β (transition probability)"
    /// Colours of the probabilities 0...1; when nil, the theme's, turned so that the probable ones stand out from the background.
    public var map: ColourMap?

    /// A figure of the trellis, with a title or without.
    public init(_ drawing: TrellisDrawing, title: String? = nil) {
        self.drawing = drawing
        self.title = title
    }

    public var size: Size { layout.size }

    /// Places of everything, from measured text.
    private struct Layout {
        var size = Size(0, 0)
        var originX = 0.0
        var originY = 0.0
        var stepX = 0.0
        var stepY = 56.0
        var radius = 8.0
        var stem = Rect(0, 0, 0, 0)
        var headX = 0.0
        var headWidth = 0.0
        var titleHeight = 0.0
        var legendY = 0.0

        func node(_ layer: Int, _ row: Int) -> Point { Point(originX + Double(layer) * stepX, originY + Double(row) * stepY) }
    }

    private var shownMap: ColourMap {
        map ?? (theme.background.luminance > 0.3 ? ColourMap.viridis.reversed.cut(0.06, 1) : ColourMap.viridis.cut(0.2, 1))
    }

    private var layout: Layout {
        var l = Layout()
        let layers = Double(drawing.layers)
        l.stepX = max(44, min(78, 640 / layers))
        let rowLabels = theme.label.width(drawing.strides.map(String.init))
        l.titleHeight = title == nil ? 0 : theme.title.lineHeight + 8
        let labelRoom = theme.small.size + 10 + rowLabels + 14
        let stemWidth = theme.label.width(stemLabel) + 18
        l.originX = 14 + labelRoom + stemWidth / 2
        l.originY = 12 + l.titleHeight + theme.small.lineHeight + theme.label.lineHeight + 16
        let right = l.originX + layers * l.stepX
        l.headWidth = headLabel.isEmpty ? 0 : theme.small.width(headLabel) + 16
        l.headX = right + l.radius + 26
        let bottom = l.originY + Double(drawing.strides.count - 1) * l.stepY + 26
        l.legendY = bottom + 14
        let legendHeight = needsLegend ? theme.small.lineHeight * 2 + 30 : 0
        let trellisWidth = right + (l.headWidth > 0 ? 26 + l.headWidth : 0) + l.radius + 14
        let titleWidth = title.map { theme.title.width($0) + 28 } ?? 0
        l.size = Size(max(trellisWidth, l.originX - stemWidth / 2 + legendWidth + 14, titleWidth), bottom + legendHeight)
        let centre = l.node(0, 0)
        l.stem = Rect(centre.x - stemWidth / 2, centre.y - 13, stemWidth, 26)
        return l
    }

    private var needsLegend: Bool { drawing.hasProbabilities || drawing.path != nil }

    private var legendWidth: Double {
        let wedge = drawing.hasProbabilities ? max(180, theme.small.width(legendLabel)) : 0
        let path = drawing.path == nil ? 0 : 38 + theme.small.width("decoded path")
        return wedge + path + (wedge > 0 && path > 0 ? 40 : 0)
    }

    public func draw(on canvas: Canvas) {
        let l = layout
        if let title { canvas.text(title, at: Point(14, 12), theme.title, theme.ink, .left, .top) }
        drawLabels(canvas, l)
        drawArrows(canvas, l)
        drawHeads(canvas, l)
        drawNodes(canvas, l)
        if needsLegend { drawLegend(canvas, l) }
    }

    private func drawLabels(_ canvas: Canvas, _ l: Layout) {
        let right = l.node(drawing.layers, 0).x
        for (row, stride) in drawing.strides.enumerated() {
            let y = l.node(0, row).y
            canvas.line(Point(l.stem.x - 6, y), Point(right, y), theme.grid, width: 1)
            canvas.text(String(stride), at: Point(l.stem.x - 14, y), theme.label, theme.ink, .right, .middle)
        }
        let middle = l.originY + Double(drawing.strides.count - 1) * l.stepY / 2
        canvas.text("stride", at: Point(14 + theme.small.size / 2, middle), theme.small, theme.muted, .centre, .middle, rotation: -90)
        let top = l.originY - 24
        for layer in 1...drawing.layers {
            canvas.text(String(layer), at: Point(l.node(layer, 0).x, top), theme.label, theme.ink, .centre, .baseline)
        }
        canvas.text(
            drawing.layers == 1 ? "layer" : "layers", at: Point((l.node(1, 0).x + right) / 2, top - theme.label.lineHeight), theme.small,
            theme.muted, .centre, .baseline)
    }

    private func drawArrows(_ canvas: Canvas, _ l: Layout) {
        func strength(_ arrow: TrellisArrow) -> Double { arrow.probability.isFinite ? max(0, min(1, arrow.probability)) : -1 }
        // The probable ones last, so that they lie on top.
        for arrow in drawing.arrows.sorted(by: { strength($0) < strength($1) }) where !drawing.onPath(arrow) {
            draw(arrow, canvas, l)
        }
        let onPath = drawing.pathArrows
        for arrow in onPath {
            let (from, to) = ends(arrow, l, gap: 0)
            canvas.stroke(Path(through: [from, to]), Canvas.Stroke(theme.accent, width: lineWidth(arrow) + 6.5))
        }
        for arrow in onPath { draw(arrow, canvas, l) }
    }

    private func lineWidth(_ arrow: TrellisArrow) -> Double {
        arrow.probability.isFinite ? 0.8 + 4.7 * max(0, min(1, arrow.probability)) : 1.2
    }

    /// From the middle of one node to the border of the other.
    private func ends(_ arrow: TrellisArrow, _ l: Layout, gap: Double) -> (Point, Point) {
        let from = l.node(arrow.layer - 1, drawing.strides.firstIndex(of: arrow.from) ?? 0)
        let to = l.node(arrow.layer, drawing.strides.firstIndex(of: arrow.to) ?? 0)
        let (dx, dy) = (to.x - from.x, to.y - from.y)
        let length = max(1e-9, (dx * dx + dy * dy).squareRoot())
        return (from, Point(to.x - dx / length * gap, to.y - dy / length * gap))
    }

    private func draw(_ arrow: TrellisArrow, _ canvas: Canvas, _ l: Layout) {
        let (from, to) = ends(arrow, l, gap: l.radius + 1)
        let width = lineWidth(arrow)
        let known = arrow.probability.isFinite
        let colour = known ? shownMap(arrow.probability) : (drawing.onPath(arrow) ? theme.background : theme.outline)
        canvas.arrow(from, to, colour, width: width, head: 6 + width * 1.3)
    }

    private func drawHeads(_ canvas: Canvas, _ l: Layout) {
        guard !headLabel.isEmpty else { return }
        for row in drawing.strides.indices where drawing.nodes[drawing.layers][row] {
            // Once a path is decoded the network has one head; the others only belonged to the search.
            let used = drawing.pathRows.map { $0[drawing.layers] == row } ?? true
            let node = l.node(drawing.layers, row)
            let colour = used ? theme.outline : theme.outline.mixed(with: theme.background, 0.5)
            canvas.arrow(Point(node.x + l.radius, node.y), Point(l.headX - 1, node.y), colour, width: 1.2, head: 6)
            let box = Rect(l.headX, node.y - 11, l.headWidth, 22)
            canvas.fill(.rounded(box, radius: 4), theme.grid.mixed(with: theme.background, 0.4))
            canvas.stroke(.rounded(box, radius: 4), Canvas.Stroke(colour, width: 1))
            canvas.text(
                headLabel, at: Point(box.midX, box.midY), theme.small, used ? theme.ink : theme.muted, .centre, .middle)
        }
    }

    private func drawNodes(_ canvas: Canvas, _ l: Layout) {
        let rows = drawing.pathRows
        for layer in 1...drawing.layers {
            for row in drawing.strides.indices where drawing.nodes[layer][row] {
                let chosen = rows.map { $0[layer] == row } ?? false
                let circle = Path.circle(l.node(layer, row), radius: l.radius)
                canvas.fill(circle, chosen ? theme.accent : theme.background)
                canvas.stroke(circle, Canvas.Stroke(chosen ? theme.ink : theme.outline, width: chosen ? 1.6 : 1.3))
            }
        }
        canvas.fill(.rounded(l.stem, radius: 5), rows == nil ? theme.grid.mixed(with: theme.background, 0.4) : theme.accent)
        canvas.stroke(.rounded(l.stem, radius: 5), Canvas.Stroke(rows == nil ? theme.outline : theme.ink, width: rows == nil ? 1.2 : 1.6))
        canvas.text(
            stemLabel, at: Point(l.stem.midX, l.stem.midY), theme.label, rows == nil ? theme.ink : theme.accent.ink, .centre, .middle)
    }

    /// A wedge: as an arrow's, its width and colour are the probability.
    private func drawLegend(_ canvas: Canvas, _ l: Layout) {
        var x = l.stem.x
        let y = l.legendY
        if drawing.hasProbabilities {
            canvas.text(legendLabel, at: Point(x, y), theme.small, theme.muted, .left, .top)
            let top = y + theme.small.lineHeight + 2
            let (map, width, steps) = (shownMap, 180.0, 60)
            for step in 0..<steps {
                let t = (Double(step) + 0.5) / Double(steps)
                let height = (0.8 + 4.7 * t) * 1.6
                // Each step reaches to the end, under those that follow: side by side they would show seams.
                let left = x + width * Double(step) / Double(steps)
                canvas.fill(.rectangle(Rect(left, top + 5 - height / 2, x + width - left, height)), map(t))
            }
            for (value, label) in [(0.0, "0"), (0.5, "0.5"), (1.0, "1")] {
                canvas.text(label, at: Point(x + width * value, top + 12), theme.tiny, theme.muted, .centre, .top)
            }
            x += max(width, theme.small.width(legendLabel)) + 40
        }
        guard drawing.path != nil else { return }
        let middle = y + theme.small.lineHeight + 7
        canvas.line(Point(x, middle), Point(x + 30, middle), theme.accent, width: 8)
        canvas.fill(.circle(Point(x + 15, middle), radius: 6), theme.accent)
        canvas.stroke(.circle(Point(x + 15, middle), radius: 6), Canvas.Stroke(theme.ink, width: 1.4))
        canvas.text("decoded path", at: Point(x + 38, middle), theme.small, theme.ink, .left, .middle)
    }
}
