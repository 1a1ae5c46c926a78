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

    /// Width of an entry's mark and the gap behind it.
    private func room(_ entry: Entry) -> Double {
        switch entry.mark {
        case .line: return 30
        case .dot: return 16
        case .box: return 20
        }
    }

    /// Entries by lines, each with its place from the left: in columns of one width when they need several lines.
    private func lines(_ width: Double) -> [[(x: Double, entry: Entry)]] {
        let fitted = entries.map { entry in
            Entry(name: theme.small.fitted(entry.name, to: max(40, width - room(entry))), mark: entry.mark)
        }
        let widths = fitted.map { room($0) + theme.small.width($0.name) + 18 }
        let common = widths.reduce(0, +) - 18 <= width ? nil : widths.max()
        var lines: [[(x: Double, entry: Entry)]] = [[]]
        var x = 0.0
        for (entry, needed) in zip(fitted, widths) {
            if x > 0, x + needed - 18 > width {
                lines.append([])
                x = 0
            }
            lines[lines.count - 1].append((x, entry))
            x += common ?? needed
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
                drawMark(canvas, entry.mark, Rect(left, y - 6, room(entry) - 6, 12))
                canvas.text(entry.name, at: Point(left + room(entry), y), theme.small, theme.ink, .left, .middle)
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
