import Base

/// Decisions one below the other, each with its options as bars: what a supernet tends to, or what was decided.
public struct DecisionsFigure: Figure {
    public let decisions: [DecisionDrawing]
    public var title: String?
    public var theme = Theme.light
    /// Room for the options of a row before they go on in the next line.
    private static let room = 640.0
    private static let margin = 14.0
    private static let gap = 4.0

    public init(_ decisions: [DecisionDrawing], title: String? = nil) {
        self.decisions = decisions
        self.title = title
    }

    private struct Row {
        var decision: DecisionDrawing
        var y = 0.0
        var boxes: [Rect] = []
    }

    private struct Layout {
        var rows: [Row] = []
        var left = 0.0
        var size = Size(0, 0)
    }

    private var layout: Layout {
        let bars = OptionBars(theme: theme)
        var l = Layout()
        let names = min(220, max(theme.label.width(decisions.map(\.name)), theme.tiny.width(decisions.map(\.kind))))
        l.left = Self.margin + names + 12
        var y = Self.margin + (title == nil ? 0 : theme.title.lineHeight + 6)
        // Options of the same names stand one below the other.
        var widths: [[String]: Double] = [:]
        for decision in decisions {
            let widest = decision.options.map(bars.width).max() ?? 0
            widths[decision.options.map(\.name), default: 0] = max(widths[decision.options.map(\.name)] ?? 0, widest)
        }
        var widest = 0.0
        for decision in decisions {
            let width = min(Self.room, widths[decision.options.map(\.name)] ?? 0)
            let perLine = max(1, Int((Self.room + Self.gap) / max(1, width + Self.gap)))
            var row = Row(decision: decision, y: y)
            for index in decision.options.indices {
                let (line, column) = (index / perLine, index % perLine)
                row.boxes.append(
                    Rect(l.left + Double(column) * (width + Self.gap), y + Double(line) * (OptionBars.height + 3), width, OptionBars.height))
            }
            y = max(row.boxes.last?.maxY ?? y, y + theme.label.lineHeight + theme.tiny.lineHeight) + 6
            widest = max(widest, row.boxes.map(\.maxX).max() ?? 0)
            l.rows.append(row)
        }
        let titleWidth = title.map { theme.title.width($0) + 2 * Self.margin } ?? 0
        l.size = Size(max(widest + Self.margin, titleWidth, 200), y + Self.margin - 6)
        return l
    }

    public var size: Size { layout.size }

    public func draw(on canvas: Canvas) {
        let (l, bars) = (layout, OptionBars(theme: theme))
        if let title { canvas.text(title, at: Point(Self.margin, 12), theme.title, theme.ink, .left, .top) }
        for row in l.rows {
            let room = l.left - Self.margin - 12
            canvas.text(theme.label.fitted(row.decision.name, to: room), at: Point(Self.margin, row.y + 1), theme.label, theme.ink, .left, .top)
            canvas.text(
                theme.tiny.fitted(row.decision.kind, to: room), at: Point(Self.margin, row.y + theme.label.lineHeight), theme.tiny, theme.muted, .left, .top)
            let isDecided = row.decision.options.contains(where: \.isDecided)
            for (option, box) in zip(row.decision.options, row.boxes) { bars.draw(option, in: box, on: canvas, isFaint: isDecided) }
        }
        guard l.rows.isEmpty else { return }
        canvas.text("no decisions", at: Point(Self.margin, l.size.height - Self.margin), theme.label, theme.muted, .left, .bottom)
    }

    public func text(_ style: TextStyle) -> String {
        let heading = title.map { [style.fitted($0, style.width)] } ?? []
        return (heading + decisions.flatMap { Self.lines($0, indent: 0, style) }).joined(separator: "\n")
    }

    /// A decision in lines: its name, then as many options a line as there is room.
    static func lines(_ decision: DecisionDrawing, indent: Int, _ style: TextStyle) -> [String] {
        let margin = String(repeating: " ", count: indent)
        var lines = [style.fitted(margin + style.clean(decision.name) + ": " + style.clean(decision.kind), style.width)]
        var line = ""
        for option in decision.options {
            let number = option.probability.isFinite ? " " + NumberText.fixed(option.probability, 2) : ""
            let mark = option.isDecided ? style.pick("● ", "@ ") : "  "
            let item = style.fitted(mark + style.clean(option.name) + number, max(8, style.width - indent - 2))
            if !line.isEmpty, indent + line.columns + 2 + item.columns > style.width {
                lines.append(margin + line)
                line = ""
            }
            line += (line.isEmpty ? "" : "  ") + item
        }
        if !line.isEmpty { lines.append(margin + line) }
        return lines
    }
}
