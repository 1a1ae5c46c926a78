import Base

/// One operator of a cell's block: which state it reads and what it does.
public struct CellOperator: Hashable, Sendable {
    /// 1 = the cell before the previous one (two back), 2 = the previous cell, 3... = the blocks, counted from 1 at 3.
    public var state: Int
    public var name: String
    /// A weight to write beside the name, such as its softmax share; nil for none.
    public var weight: Double?

    /// An operator that reads `state`.
    public init(state: Int, name: String, weight: Double? = nil) {
        self.state = state
        self.name = name
        self.weight = weight
    }
}

/// A cell as plain data: each block sums its operators, the output concatenates the blocks.
public struct CellDrawing: Hashable, Sendable {
    /// The operators of each block, in the order of the blocks.
    public let blocks: [[CellOperator]]
    /// Names of states 1 and 2.
    public var inputNames = ["two back", "previous"]

    /// - Throws: `FigureError.invalid` without blocks, or when an operator reads its own block, a later one or none at all.
    public init(blocks: [[CellOperator]]) throws {
        guard !blocks.isEmpty else { throw FigureError.invalid("cell: expected at least one block") }
        for (index, block) in blocks.enumerated() {
            for op in block where !(1...(index + 2)).contains(op.state) {
                throw FigureError.invalid(
                    "cell: operator '\(op.name)' of block \(index + 1) reads state \(op.state); expected 1 (two back), 2 (previous) "
                        + (index == 0 ? "" : "or 3 to \(index + 2) (the blocks before)"))
            }
        }
        self.blocks = blocks
    }

    /// Names of the edges of a cell in the order of alpha: (1, 1) (1, 2) (2, 1) ..., as `1 ← two back`.
    public static func edgeNames(blocks: Int) -> [String] {
        (0..<max(0, blocks)).flatMap { block in
            (0..<(block + 2)).map { "\(block + 1) ← " + ($0 == 0 ? "two back" : $0 == 1 ? "previous" : "block \($0 - 1)") }
        }
    }

    /// What the pictures call a state.
    func name(ofState state: Int) -> String { 
        if state > 2 { return "block \(state - 2)" }
        return inputNames.indices.contains(state - 1) ? inputNames[state - 1] : "state \(state)"
    }
}

/// The cell as a layered graph: inputs on the left, blocks with one row an operator, the concatenation on the right.
public struct CellFigure: Figure {
    public var drawing: CellDrawing
    public var title: String?
    public var theme = Theme.light

    /// A figure of the cell, with a title or without.
    public init(_ drawing: CellDrawing, title: String? = nil) {
        self.drawing = drawing
        self.title = title
    }

    private var titleHeight: Double { title == nil ? 0 : theme.title.lineHeight + 6 }

    public var size: Size {
        let layout = CellLayout(drawing, theme)
        return Size(
            max(layout.size.width + 28, title.map { theme.title.width($0) + 28 } ?? 0), layout.size.height + 28 + titleHeight)
    }

    public func draw(on canvas: Canvas) {
        let layout = CellLayout(drawing, theme)
        if let title { canvas.text(title, at: Point(14, 12), theme.title, theme.ink, .left, .top) }
        canvas.translated(to: Point(14, 14 + titleHeight)) {
            for state in 1...(drawing.blocks.count + 2) { draw(layout.edges.filter { $0.state == state }, canvas) }
            for box in layout.boxes { draw(box, canvas) }
        }
    }

    private func colour(ofState state: Int) -> Colour { theme.series(state - 1) }

    /// The lines of one state: first a rim of background that lets them be followed over the lines of other states.
    private func draw(_ edges: [CellLayout.Edge], _ canvas: Canvas) {
        for edge in edges where !edge.onlyOutput {
            let path = Path.horizontalCurve(from: edge.from, to: edge.to)
            canvas.stroke(path, Canvas.Stroke(theme.background, width: 4.2, round: false))
        }
        for edge in edges.sorted(by: { $0.onlyOutput && !$1.onlyOutput }) {
            let path = Path.horizontalCurve(from: edge.from, to: edge.to)
            let colour = edge.onlyOutput ? theme.outline.mixed(with: theme.background, 0.35) : colour(ofState: edge.state)
            canvas.stroke(path, Canvas.Stroke(colour, width: edge.onlyOutput ? 1.1 : 1.9))
            guard edge.arrives else { continue }
            let (tip, tint) = (edge.to, edge.onlyOutput ? theme.outline : colour)
            canvas.fill(Path(through: [tip, Point(tip.x - 7, tip.y - 3.4), Point(tip.x - 7, tip.y + 3.4)], closed: true), tint)
        }
    }

    private func draw(_ box: CellLayout.Box, _ canvas: Canvas) {
        let outline = Path.rounded(box.frame, radius: 6)
        canvas.fill(outline, theme.background)
        switch box.kind {
        case .input(let state):
            canvas.fill(outline, colour(ofState: state).opacity(0.14))
            canvas.stroke(outline, Canvas.Stroke(colour(ofState: state), width: 1.6))
            canvas.text(drawing.name(ofState: state), at: Point(box.frame.midX, box.frame.midY), theme.label, theme.ink, .centre, .middle)
        case .output:
            canvas.fill(outline, theme.grid.mixed(with: theme.background, 0.3))
            canvas.stroke(outline, Canvas.Stroke(theme.ink, width: 1.4))
            canvas.text("concat", at: Point(box.frame.midX, box.frame.midY), theme.label, theme.ink, .centre, .middle, rotation: -90)
        case .block(let block):
            let tint = colour(ofState: block + 2)
            canvas.fill(outline, tint.opacity(0.07))
            canvas.stroke(outline, Canvas.Stroke(tint, width: 1.6))
            let y = box.frame.y + CellLayout.headerHeight / 2 + 1
            canvas.text("block \(block)", at: Point(box.frame.x + 9, y), theme.strong, theme.ink, .left, .middle)
            canvas.text("sum", at: Point(box.frame.maxX - 9, y), theme.tiny, theme.muted, .right, .middle)
            for row in box.rows { draw(row, of: box, canvas) }
        }
    }

    private func draw(_ row: CellLayout.Row, of box: CellLayout.Box, _ canvas: Canvas) {
        let frame = Rect(box.frame.x + 5, row.y - 9.5, box.frame.width - 10, 19)
        canvas.fill(.rounded(frame, radius: 4), theme.background)
        canvas.fill(.rounded(frame, radius: 4), OperatorColours.colour(row.op.name, theme).opacity(0.22))
        canvas.text(row.op.name, at: Point(frame.x + 7, row.y), theme.small, theme.ink, .left, .middle)
        if let weight = row.op.weight {
            canvas.text(
                NumberText.fixed(weight, 2), at: Point(frame.maxX - 6, row.y), theme.tiny, theme.muted, .right, .middle)
        }
    }

    /// The cell as a table: block, the state read, the operator.
    public func text(_ style: TextStyle) -> String {
        let rows = drawing.blocks.enumerated().flatMap { index, block in
            block.enumerated().map { position, op -> [String] in
                let weight = op.weight.map { NumberText.fixed($0, 2) } ?? ""
                return [position == 0 ? String(index + 1) : "", drawing.name(ofState: op.state), op.name, weight]
            }
        }
        let weighted = rows.contains { !$0[3].isEmpty }
        let columns = weighted ? 4 : 3
        let table = TextTable(
            header: Array(["block", "input", "operator", "weight"].prefix(columns)), rows: rows.map { Array($0.prefix(columns)) },
            rightAligned: [0, 3])
        return (title.map { style.fitted($0, style.width) + "\n" } ?? "") + table.text(style)
    }
}

/// Colours of operators: one a family, so that the same operator looks the same in every figure.
enum OperatorColours {
    static func colour(_ name: String, _ theme: Theme) -> Colour {
        func at(_ index: Int) -> Colour { theme.series(index) }
        if name == "none" || name.hasPrefix("skip") || name == "identity" { return at(6) }
        if name.contains("pool") { return at(2) }
        if name.hasPrefix("sep") { return at(0) }
        if name.hasPrefix("atrous") || name.hasPrefix("dil") { return at(1) }
        return at(4)
    }
}
