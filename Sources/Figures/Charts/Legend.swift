/// Keys with names, set in lines as wide as there is room.
struct Legend {
    enum Mark: Hashable {
        case line(Colour, dash: [Double], points: Bool)
        case dot(Colour)
        case box(Colour)
    }

    struct Entry: Hashable {
        var name: String
        var mark: Mark
    }

    var entries: [Entry]
    var theme: Theme

    private static let markWidth = 24.0

    /// Entries by lines, each with its place from the left.
    private func lines(_ width: Double) -> [[(x: Double, entry: Entry)]] {
        var lines: [[(x: Double, entry: Entry)]] = [[]]
        var x = 0.0
        for entry in entries {
            let name = theme.small.fitted(entry.name, to: max(40, width - Legend.markWidth - 6))
            let needed = Legend.markWidth + 6 + theme.small.width(name)
            if x > 0, x + needed > width {
                lines.append([])
                x = 0
            }
            lines[lines.count - 1].append((x, Entry(name: name, mark: entry.mark)))
            x += needed + 18
        }
        return lines
    }

    /// Height when set `width` wide; zero without entries.
    func height(_ width: Double) -> Double {
        entries.isEmpty ? 0 : Double(lines(width).count) * theme.small.lineHeight * 1.15
    }

    func draw(_ canvas: Canvas, at origin: Point, width: Double) {
        guard !entries.isEmpty else { return }
        for (index, line) in lines(width).enumerated() {
            let y = origin.y + (Double(index) + 0.5) * theme.small.lineHeight * 1.15
            for (x, entry) in line {
                let left = origin.x + x
                drawMark(canvas, entry.mark, Rect(left, y - 6, Legend.markWidth, 12))
                canvas.text(entry.name, at: Point(left + Legend.markWidth + 6, y), theme.small, theme.ink, .left, .middle)
            }
        }
    }

    private func drawMark(_ canvas: Canvas, _ mark: Mark, _ r: Rect) {
        switch mark {
        case .line(let colour, let dash, let points):
            canvas.line(Point(r.x, r.midY), Point(r.maxX, r.midY), colour, width: 2, dash: dash)
            if points { canvas.fill(.circle(Point(r.midX, r.midY), radius: 3), colour) }
        case .dot(let colour):
            canvas.fill(.circle(Point(r.midX, r.midY), radius: 3.6), colour)
        case .box(let colour):
            let box = Rect(r.maxX - 14, r.y, 14, 12)
            canvas.fill(.rounded(box, radius: 2), colour)
            canvas.stroke(.rounded(box, radius: 2), Canvas.Stroke(theme.outline, width: 0.6))
        }
    }
}
