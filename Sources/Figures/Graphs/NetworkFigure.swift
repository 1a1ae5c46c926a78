import Base

/// A network as the graph of its modules: boxes along the flow of data, with the options of their decisions as bars; lines as wide and coloured as they are
/// probable; what stands on the arrows of a paths decision as a trellis.
public struct NetworkFigure: Figure {
    public let drawing: NetworkDrawing
    public var title: String?
    public var theme = Theme.light
    /// Options of a decision that a box has room for.
    private static let most = 7
    private static let margin = 14.0
    private static let widestText = 240.0
    private static let widestNote = 150.0

    public init(_ drawing: NetworkDrawing, title: String? = nil) {
        self.drawing = drawing
        self.title = title
    }

    private var bars: OptionBars { OptionBars(theme: theme) }
    private var titleHeight: Double { title == nil ? 0 : theme.title.lineHeight + 8 }
    private var map: ColourMap { theme.background.luminance > 0.3 ? ColourMap.viridis.reversed.cut(0.06, 1) : ColourMap.viridis.cut(0.2, 1) }

    private var layout: NetworkLayout { NetworkLayout(drawing, sizes: drawing.nodes.map(boxSize)) }

    private var legendHeight: Double { drawing.hasProbabilities ? theme.small.lineHeight + 30 : 0 }

    public var size: Size {
        let inner = layout.size
        let legend = drawing.hasProbabilities ? theme.small.width(Self.legendText) + 2 * Self.margin : 0
        return Size(
            max(inner.width + 2 * Self.margin, title.map { theme.title.width($0) + 2 * Self.margin } ?? 0, legend),
            inner.height + 2 * Self.margin + titleHeight + legendHeight)
    }

    // MARK: - Boxes

    private func trellis(_ drawing: TrellisDrawing) -> TrellisFigure {
        var figure = TrellisFigure(drawing)
        (figure.theme, figure.headLabel, figure.stemLabel, figure.legendLabel) = (theme, "", "", "probability of an arrow")
        return figure
    }

    private func textWidth(_ node: NetworkDrawing.Node) -> Double {
        let texts = max(theme.strong.width(node.name), min(Self.widestNote, theme.tiny.width(node.note)), theme.tiny.width(node.condition))
        let options = node.decisions.flatMap { $0.shown(Self.most).options }.map { bars.width($0) }.max() ?? 0
        let headings = node.decisions.map { theme.small.width($0.name) + 10 + theme.tiny.width($0.kind) }.max() ?? 0
        return min(Self.widestText, max(texts, options, headings))
    }

    private func boxSize(_ node: NetworkDrawing.Node) -> Size {
        switch node.kind {
        case .end: return Size(theme.label.width(node.name) + 22, 26)
        case .junction where node.decisions.isEmpty: return Size(15, 15)
        case .trellis(let drawing):
            let inner = trellis(drawing).size
            return Size(inner.width + 8, inner.height + 26)
        case .module, .junction:
            let lines = (node.note.isEmpty ? 0 : 1) + (node.condition.isEmpty ? 0 : 1)
            let decisions = node.decisions.reduce(0.0) { sum, decision in
                let (shown, rest) = decision.shown(Self.most)
                return sum + 19 + Double(shown.count) * (OptionBars.height + 2) + (rest > 0 ? theme.tiny.lineHeight : 0)
            }
            return Size(max(56, textWidth(node) + 18), 11 + theme.strong.lineHeight + Double(lines) * theme.tiny.lineHeight + decisions)
        }
    }

    // MARK: - Drawing

    public func draw(on canvas: Canvas) {
        let l = layout
        if let title { canvas.text(title, at: Point(Self.margin, 12), theme.title, theme.ink, .left, .top) }
        canvas.translated(to: Point(Self.margin, Self.margin + titleHeight)) {
            // The probable ones last, so that they lie on top; what was decided above all.
            for line in l.lines.sorted(by: { rank($0) < rank($1) }) { draw(line, canvas) }
            for link in l.links { draw(link, canvas) }
            for box in l.boxes { draw(box, canvas) }
        }
        if drawing.hasProbabilities { drawLegend(canvas, Self.margin + titleHeight + l.size.height + 16) }
    }

    private func rank(_ line: NetworkLayout.Line) -> Double {
        guard let edge = line.edge else { return 0 }
        switch edge.use {
        case .off: return -1
        case .on: return 2
        case .open: return edge.probability.isFinite ? edge.probability : 0.5
        }
    }

    private func draw(_ line: NetworkLayout.Line, _ canvas: Canvas) {
        let known = line.edge?.probability.isFinite ?? false
        var colour = theme.outline, width = 1.3, dash: [Double] = []
        if let edge = line.edge {
            if known { (colour, width) = (map(edge.probability), 0.9 + 3.2 * max(0, min(1, edge.probability))) }
            switch edge.use {
            case .open: break
            case .on: (colour, width) = (theme.accent, max(2.2, width))
            case .off: (colour, width, dash) = (theme.outline.mixed(with: theme.background, 0.55), 1, [3, 3])
            }
        }
        let end = line.end == .arrow ? Point(line.to.x - 6, line.to.y) : line.to
        let path = Path.horizontalCurve(from: line.from, to: end)
        canvas.stroke(path, Canvas.Stroke(theme.background, width: width + 2.2, round: false))
        canvas.stroke(path, Canvas.Stroke(colour, width: width, dash: dash, round: false))
        guard line.end == .arrow else { return }
        let half = 3.2 + width * 0.5
        canvas.fill(Path(through: [line.to, Point(line.to.x - 8, line.to.y - half), Point(line.to.x - 8, line.to.y + half)], closed: true), colour)
    }

    private func draw(_ link: NetworkLayout.Link, _ canvas: Canvas) {
        let circle = Path.circle(link.place, radius: 8)
        canvas.fill(circle, theme.grid.mixed(with: theme.background, 0.3))
        canvas.stroke(circle, Canvas.Stroke(theme.outline, width: 1.1))
        canvas.text("\(link.number)", at: link.place, theme.small, theme.ink, .centre, .middle)
    }

    private func draw(_ box: NetworkLayout.Box, _ canvas: Canvas) {
        let node = drawing.nodes[box.node], frame = box.frame
        let isOff = node.use == .off
        let ink = isOff ? theme.muted.mixed(with: theme.background, 0.3) : theme.ink
        switch node.kind {
        case .end:
            let outline = Path.rounded(frame, radius: 13)
            canvas.fill(outline, theme.grid.mixed(with: theme.background, 0.3))
            canvas.stroke(outline, Canvas.Stroke(theme.outline, width: 1.2))
            canvas.text(node.name, at: Point(frame.midX, frame.midY), theme.label, theme.ink, .centre, .middle)
            return
        case .junction where node.decisions.isEmpty:
            let circle = Path.circle(Point(frame.midX, frame.midY), radius: frame.width / 2)
            canvas.fill(circle, theme.background)
            canvas.stroke(circle, Canvas.Stroke(isOff ? theme.grid : theme.outline, width: 1.2))
            let (x, y, r) = (frame.midX, frame.midY, 3.6)
            canvas.line(Point(x - r, y), Point(x + r, y), ink, width: 1.2)
            return canvas.line(Point(x, y - r), Point(x, y + r), ink, width: 1.2)
        case .module, .junction, .trellis: break
        }
        let outline = Path.rounded(frame, radius: 6)
        let hasDecisions = !node.decisions.isEmpty || node.kind.isTrellis
        let tint = theme.series(0)
        canvas.fill(outline, theme.background)
        if hasDecisions { canvas.fill(outline, tint.opacity(0.06)) }
        let line = isOff ? theme.outline.mixed(with: theme.background, 0.5) : node.use == .on ? theme.accent : hasDecisions ? tint : theme.outline
        canvas.stroke(outline, Canvas.Stroke(line, width: hasDecisions || node.use == .on ? 1.7 : 1.2, dash: isOff ? [4, 3] : [], round: !isOff))
        drawText(node, frame, ink, canvas)
        if case .trellis(let drawing) = node.kind {
            let figure = trellis(drawing)
            canvas.translated(to: Point(frame.x + 4, frame.y + 22)) { figure.draw(on: canvas) }
        }
    }

    private func drawText(_ node: NetworkDrawing.Node, _ frame: Rect, _ ink: Colour, _ canvas: Canvas) {
        let (x, room) = (frame.x + 9, frame.width - 18)
        var y = frame.y + 6
        canvas.text(theme.strong.fitted(node.name, to: room), at: Point(x, y), theme.strong, ink, .left, .top)
        y += theme.strong.lineHeight
        for (text, colour) in [(node.note, theme.muted), (node.condition, node.use == .off ? theme.muted : theme.accent)] where !text.isEmpty {
            if node.kind.isTrellis { break }
            canvas.text(theme.tiny.fitted(text, to: room), at: Point(x, y), theme.tiny, colour, .left, .top)
            y += theme.tiny.lineHeight
        }
        for decision in node.decisions {
            let kind = theme.tiny.width(decision.kind)
            canvas.text(theme.small.fitted(decision.name, to: room - kind - 8), at: Point(x, y + 10), theme.small, ink, .left, .middle)
            canvas.text(theme.tiny.fitted(decision.kind, to: room), at: Point(frame.maxX - 9, y + 10), theme.tiny, theme.muted, .right, .middle)
            y += 19
            let (shown, rest) = decision.shown(Self.most)
            let isDecided = decision.options.contains(where: \.isDecided)
            for option in shown {
                bars.draw(option, in: Rect(x, y, room, OptionBars.height), on: canvas, isFaint: isDecided || node.use == .off)
                y += OptionBars.height + 2
            }
            if rest > 0 {
                canvas.text("and \(rest) more", at: Point(x + 6, y), theme.tiny, theme.muted, .left, .top)
                y += theme.tiny.lineHeight
            }
        }
    }

    private static let legendText = "probability that a connection is used"

    private func drawLegend(_ canvas: Canvas, _ y: Double) {
        canvas.text(Self.legendText, at: Point(Self.margin, y), theme.small, theme.muted, .left, .top)
        let top = y + theme.small.lineHeight + 2, width = 180.0, steps = 60
        for step in 0..<steps {
            let t = (Double(step) + 0.5) / Double(steps), height = (0.9 + 3.2 * t) * 1.6
            // Each step reaches to the end, under those that follow: side by side they would show seams.
            let left = Self.margin + width * Double(step) / Double(steps)
            canvas.fill(.rectangle(Rect(left, top + 5 - height / 2, Self.margin + width - left, height)), map(t))
        }
        for (value, label) in [(0.0, "0"), (0.5, "0.5"), (1.0, "1")] {
            canvas.text(label, at: Point(Self.margin + width * value, top + 11), theme.tiny, theme.muted, .centre, .top)
        }
    }

    // MARK: - Text

    /// The nodes in their order, each with what it reads and its decisions.
    public func text(_ style: TextStyle) -> String {
        var lines = title.map { [style.fitted($0, style.width)] } ?? []
        for (index, node) in drawing.nodes.enumerated() {
            let name = { (i: Int) in drawing.nodes[i].name.isEmpty ? style.pick("⊕\(i)", "+\(i)") : drawing.nodes[i].name }
            let sources = drawing.edges.filter { $0.to == index && $0.use != .off }.map { edge in
                name(edge.from) + (edge.probability.isFinite ? " " + NumberText.fixed(edge.probability, 2) : "")
            }
            let off = node.use == .off ? " (off)" : ""
            let note = [node.note, node.condition].filter { !$0.isEmpty }.joined(separator: ", ")
            lines.append(style.fitted(name(index) + off + (note.isEmpty ? "" : "  " + note), style.width))
            if !sources.isEmpty { lines.append(style.fitted("  ← " + sources.joined(separator: ", "), style.width)) }
            if case .trellis(let drawing) = node.kind {
                var inner = style
                inner.width = max(20, style.width - 4)
                lines += trellis(drawing).text(inner).split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
            }
            for decision in node.decisions { lines += DecisionsFigure.lines(decision, indent: 4, style) }
        }
        return lines.joined(separator: "\n")
    }
}

extension NetworkDrawing.Node.Kind {
    fileprivate var isTrellis: Bool { if case .trellis = self { true } else { false } }
}
