/// Figures in rows and columns: each column as wide as its widest figure, each row as high as its highest.
public struct FigureGrid: Figure {
    public var rows: [[any Figure]]
    public var title: String?
    /// Free room between figures.
    public var spacing = 12.0
    /// Background and title only: each figure keeps its own theme.
    public var theme = Theme.light

    /// Figures by rows; rows may differ in length.
    public init(_ rows: [[any Figure]], title: String? = nil) {
        self.rows = rows
        self.title = title
    }

    /// Figures side by side.
    public static func row(_ figures: [any Figure], title: String? = nil) -> FigureGrid { FigureGrid([figures], title: title) }

    /// Figures one below the other.
    public static func column(_ figures: [any Figure], title: String? = nil) -> FigureGrid {
        FigureGrid(figures.map { [$0] }, title: title)
    }

    private var titleHeight: Double { title == nil ? 0 : theme.title.lineHeight + 14 }

    private var widths: [Double] {
        let columns = rows.map(\.count).max() ?? 0
        return (0..<columns).map { column in rows.compactMap { column < $0.count ? $0[column].size.width : nil }.max() ?? 0 }
    }

    private var heights: [Double] { rows.map { row in row.map(\.size.height).max() ?? 0 } }

    public var size: Size {
        func total(_ lengths: [Double]) -> Double { lengths.reduce(0, +) + spacing * Double(max(0, lengths.count - 1)) }
        return Size(max(40, total(widths), title.map { theme.title.width($0) + 28 } ?? 0), max(40, total(heights) + titleHeight))
    }

    public func draw(on canvas: Canvas) {
        if let title { canvas.text(title, at: Point(14, 12), theme.title, theme.ink, .left, .top) }
        let (widths, heights) = (self.widths, self.heights)
        var y = titleHeight
        for (row, figures) in rows.enumerated() {
            var x = 0.0
            for (column, figure) in figures.enumerated() {
                let size = figure.size
                canvas.fill(.rectangle(Rect(x, y, widths[column], heights[row])), figure.theme.background)
                canvas.translated(to: Point(x, y)) {
                    canvas.clipped(to: Rect(0, 0, size.width, size.height)) { figure.draw(on: canvas) }
                }
                x += widths[column] + spacing
            }
            y += heights[row] + spacing
        }
    }

    /// The figures one below the other, row by row: side by side each would be too narrow to read.
    public func text(_ style: TextStyle) -> String {
        var parts: [String] = []
        if let title { parts.append(style.fitted(title, style.width)) }
        for row in rows { parts += row.map { $0.text(style) } }
        return parts.joined(separator: "\n\n")
    }
}
