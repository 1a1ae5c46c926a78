/// One arrow of a trellis: into node (`layer`, `to`) from node (`layer - 1`, `from`); strides as written, layers from 1.
public struct TrellisArrow: Hashable, Sendable {
    public var layer: Int
    public var from: Int
    public var to: Int
    /// The normalised beta, in 0...1; NaN where none is known yet.
    public var probability: Double
    /// What is decided, or most probable, on the arrow itself: a dot in its colour; nil for none.
    public var option: String?

    /// An arrow into (`layer`, `to`) from (`layer - 1`, `from`).
    public init(layer: Int, from: Int, to: Int, probability: Double = .nan, option: String? = nil) {
        self.layer = layer
        self.from = from
        self.to = to
        self.probability = probability
        self.option = option
    }

    /// Whether both lead from the same place to the same place.
    func joinsSame(as other: TrellisArrow) -> Bool { layer == other.layer && from == other.from && to == other.to }
}

/// A trellis of layers and strides, or of any states, as plain data, for drawing: what exists, how probable it is, what was decoded.
public struct TrellisDrawing: Hashable, Sendable {
    /// Number of layers, at least 1. Layer 0 is the stem.
    public let layers: Int
    /// Strides of the rows, from the finest; the stem stands at the first. Of other states their positions.
    public let strides: [Int]
    public let arrows: [TrellisArrow]
    /// The decoded stride of each layer, or nil.
    public let path: [Int]?

    /// What the rows are called, and what they are.
    let rowNames: [String]
    let rowTitle: String
    /// Rows in which paths begin.
    let starts: [Int]
    /// The arrows that were decided on; nil where nothing was.
    let decided: [TrellisArrow]?
    /// Rows of the nodes that exist, for layers 0...`layers`: the stem and every end of an arrow.
    let nodes: [[Bool]]

    /// - Throws: `FigureError.invalid` for an arrow or a path that does not fit the layers and strides.
    public init(layers: Int, strides: [Int], arrows: [TrellisArrow], path: [Int]? = nil) throws {
        guard layers >= 1 else { throw FigureError.invalid("trellis: expected at least 1 layer, got \(layers)") }
        guard let first = strides.first, Set(strides).count == strides.count else {
            throw FigureError.invalid("trellis: expected at least one stride and each once, got \(strides)")
        }
        if let path {
            guard path.count == layers else {
                throw FigureError.invalid("trellis: a path needs one stride a layer, \(layers), got \(path.count)")
            }
            if let (index, stride) = path.enumerated().first(where: { !strides.contains($1) }) {
                throw FigureError.invalid("trellis: stride \(stride) of the path at layer \(index + 1) is none of \(strides)")
            }
        }
        let decided = path.map { path in zip([first] + path, path).enumerated().map { TrellisArrow(layer: $0 + 1, from: $1.0, to: $1.1) } }
        try self.init(layers, strides, arrows, path: path, rowNames: strides.map(String.init), rowTitle: "stride", starts: [0], decided: decided)
    }

    /// A trellis of any states.
    /// - Parameters:
    ///   - starts: positions of the states in which paths begin.
    ///   - arrows: between positions of states, from 0.
    ///   - decided: the arrows that were decided on, several a layer where a path may split; nil where nothing was.
    /// - Throws: `FigureError.invalid` for an arrow that does not fit.
    public init(layers: Int, states: [String], starts: [Int], arrows: [TrellisArrow], decided: [TrellisArrow]? = nil) throws {
        guard layers >= 1, !states.isEmpty, starts.allSatisfy(states.indices.contains) else {
            throw FigureError.invalid("trellis: expected at least one layer and state, and starts that are states, got \(layers), \(states) and \(starts)")
        }
        try self.init(layers, Array(states.indices), arrows, path: nil, rowNames: states, rowTitle: "state", starts: starts, decided: decided)
    }

    private init(
        _ layers: Int, _ strides: [Int], _ arrows: [TrellisArrow], path: [Int]?, rowNames: [String], rowTitle: String, starts: [Int], decided: [TrellisArrow]?
    ) throws {
        var nodes = [[Bool]](repeating: [Bool](repeating: false, count: strides.count), count: layers + 1)
        for row in starts { nodes[0][row] = true }
        for arrow in arrows + (decided ?? []) {
            guard (1...layers).contains(arrow.layer), let from = strides.firstIndex(of: arrow.from),
                let to = strides.firstIndex(of: arrow.to), arrow.layer > 1 || starts.contains(from)
            else {
                throw FigureError.invalid(
                    "trellis: the arrow from \(rowTitle) \(arrow.from) to \(arrow.to) at layer \(arrow.layer) does not fit "
                        + "\(layers) layers of \(rowTitle)s \(strides) with the \(rowTitle == "state" ? "start" : "stem") at \(rowTitle) \(starts.map { strides[$0] }.map(String.init).joined(separator: ", "))")
            }
            nodes[arrow.layer - 1][from] = true
            nodes[arrow.layer][to] = true
        }
        (self.layers, self.strides, self.arrows, self.path) = (layers, strides, arrows, path)
        (self.rowNames, self.rowTitle, self.starts, self.decided, self.nodes) = (rowNames, rowTitle, starts, decided, nodes)
    }

    /// A path alone, without a space around it.
    public init(path: [Int], strides: [Int]) throws {
        try self.init(layers: path.count, strides: strides, arrows: [], path: path)
    }

    /// Whether the arrow was decided on.
    func isDecided(_ arrow: TrellisArrow) -> Bool { decided?.contains { $0.joinsSame(as: arrow) } ?? false }

    /// Whether a node (of layer 0: a start) is on what was decided.
    func isDecided(_ layer: Int, _ row: Int) -> Bool {
        decided?.contains { layer == 0 ? $0.layer == 1 && $0.from == strides[row] : $0.layer == layer && $0.to == strides[row] } ?? false
    }

    /// The arrows that were decided on, with the probability of those the space has.
    var decidedArrows: [TrellisArrow] { (decided ?? []).map { one in arrows.first { $0.joinsSame(as: one) } ?? one } }

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
        var optionsY = 0.0

        func node(_ layer: Int, _ row: Int) -> Point { Point(originX + Double(layer) * stepX, originY + Double(row) * stepY) }
    }

    private var shownMap: ColourMap {
        map ?? (theme.background.luminance > 0.3 ? ColourMap.viridis.reversed.cut(0.06, 1) : ColourMap.viridis.cut(0.2, 1))
    }

    private var layout: Layout {
        var l = Layout()
        let layers = Double(drawing.layers)
        l.stepX = max(44, min(78, 640 / layers))
        let rowLabels = theme.label.width(drawing.rowNames)
        l.titleHeight = title == nil ? 0 : theme.title.lineHeight + 8
        let labelRoom = theme.small.size + 10 + rowLabels + 14
        let stemWidth = hasStem ? theme.label.width(stemLabel) + 18 : 2 * l.radius
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
        l.optionsY = l.size.height
        l.size.height += options.height(l.size.width - (l.originX - stemWidth / 2) - 14)
        let centre = l.node(0, drawing.starts.first ?? 0)
        l.stem = Rect(centre.x - stemWidth / 2, centre.y - 13, stemWidth, 26)
        return l
    }

    private var needsLegend: Bool { drawing.hasProbabilities || drawing.decided != nil || drawing.arrows.contains { $0.option != nil } }

    /// Whether all begins in one box; several starts are nodes like others.
    private var hasStem: Bool { drawing.starts.count == 1 && !stemLabel.isEmpty }

    private var legendWidth: Double {
        let wedge = drawing.hasProbabilities ? max(180, theme.small.width(legendLabel)) : 0
        let path = drawing.decided == nil ? 0 : 38 + theme.small.width("decoded path")
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
        for (row, name) in drawing.rowNames.enumerated() {
            let y = l.node(0, row).y
            canvas.line(Point(l.stem.x - 6, y), Point(right, y), theme.grid, width: 1)
            canvas.text(name, at: Point(l.stem.x - 14, y), theme.label, theme.ink, .right, .middle)
        }
        let middle = l.originY + Double(drawing.strides.count - 1) * l.stepY / 2
        canvas.text(drawing.rowTitle, at: Point(14 + theme.small.size / 2, middle), theme.small, theme.muted, .centre, .middle, rotation: -90)
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
        for arrow in drawing.arrows.sorted(by: { strength($0) < strength($1) }) where !drawing.isDecided(arrow) {
            draw(arrow, canvas, l)
        }
        let decided = drawing.decidedArrows
        for arrow in decided {
            let (from, to) = ends(arrow, l, gap: 0)
            canvas.stroke(Path(through: [from, to]), Canvas.Stroke(theme.accent, width: lineWidth(arrow) + 6.5))
        }
        for arrow in decided { draw(arrow, canvas, l) }
        for arrow in drawing.arrows { drawOption(arrow, canvas, l) }
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
        let colour = known ? shownMap(arrow.probability) : (drawing.isDecided(arrow) ? theme.background : theme.outline)
        canvas.arrow(from, to, colour, width: width, head: 6 + width * 1.3)
    }

    private func drawHeads(_ canvas: Canvas, _ l: Layout) {
        guard !headLabel.isEmpty else { return }
        for row in drawing.strides.indices where drawing.nodes[drawing.layers][row] {
            // Once a path is decoded the network has one head; the others only belonged to the search.
            let used = drawing.decided == nil || drawing.isDecided(drawing.layers, row)
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
        for layer in (hasStem ? 1 : 0)...drawing.layers {
            for row in drawing.strides.indices where drawing.nodes[layer][row] {
                let chosen = drawing.isDecided(layer, row)
                let circle = Path.circle(l.node(layer, row), radius: l.radius)
                canvas.fill(circle, chosen ? theme.accent : theme.background)
                canvas.stroke(circle, Canvas.Stroke(chosen ? theme.ink : theme.outline, width: chosen ? 1.6 : 1.3))
            }
        }
        guard hasStem else { return }
        let chosen = drawing.decided != nil
        canvas.fill(.rounded(l.stem, radius: 5), chosen ? theme.accent : theme.grid.mixed(with: theme.background, 0.4))
        canvas.stroke(.rounded(l.stem, radius: 5), Canvas.Stroke(chosen ? theme.ink : theme.outline, width: chosen ? 1.6 : 1.2))
        canvas.text(stemLabel, at: Point(l.stem.midX, l.stem.midY), theme.label, chosen ? theme.accent.ink : theme.ink, .centre, .middle)
    }

    /// What is decided on an arrow: a dot on its last third, where arrows that cross are apart.
    private func drawOption(_ arrow: TrellisArrow, _ canvas: Canvas, _ l: Layout) {
        guard let option = arrow.option else { return }
        let (from, to) = ends(arrow, l, gap: l.radius + 1)
        let place = Point(from.x + (to.x - from.x) * 0.62, from.y + (to.y - from.y) * 0.62)
        canvas.fill(.circle(place, radius: 5.4), theme.background)
        canvas.fill(.circle(place, radius: 4.2), OperatorColours.colour(option, theme))
    }

    private var options: Legend {
        let names = drawing.arrows.compactMap(\.option).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        return Legend(entries: names.map { Legend.Entry(name: $0, mark: .dot(OperatorColours.colour($0, theme))) }, theme: theme)
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
        options.draw(canvas, at: Point(l.stem.x, l.optionsY), width: l.size.width - l.stem.x - 14)
        guard drawing.decided != nil else { return }
        let middle = y + theme.small.lineHeight + 7
        canvas.line(Point(x, middle), Point(x + 30, middle), theme.accent, width: 8)
        canvas.fill(.circle(Point(x + 15, middle), radius: 6), theme.accent)
        canvas.stroke(.circle(Point(x + 15, middle), radius: 6), Canvas.Stroke(theme.ink, width: 1.4))
        canvas.text("decoded path", at: Point(x + 38, middle), theme.small, theme.ink, .left, .middle)
    }
}
