/// One picture of an image grid: an image, a label map, or a label map laid over an image.
public struct ImageTile: Hashable, Sendable {
    public var image: RGBAImage?
    public var labels: LabelMap?
    public var caption: String
    /// Opacity of the labels over the image; without an image they are opaque.
    public var opacity = 0.6

    /// - Throws: `FigureError.invalid` when image and labels differ in size.
    public init(image: RGBAImage? = nil, labels: LabelMap? = nil, caption: String = "", opacity: Double = 0.6) throws {
        if let image, let labels, image.width != labels.width || image.height != labels.height {
            throw FigureError.invalid(
                "image grid: the image is \(image.height) x \(image.width) and its label map \(labels.height) x \(labels.width)")
        }
        self.image = image
        self.labels = labels
        self.caption = caption
        self.opacity = max(0, min(1, opacity))
    }

    var width: Int { image?.width ?? labels?.width ?? 1 }
    var height: Int { image?.height ?? labels?.height ?? 1 }

    /// Image and labels as one picture; void stays transparent.
    func composed(_ palette: LabelPalette) -> RGBAImage {
        var result = image ?? RGBAImage(width: width, height: height)
        guard let labels else { return result }
        let table = (0...255).map { palette.colour(UInt8($0))?.bytes }
        let share = image == nil ? 1 : opacity
        for (index, label) in labels.labels.enumerated() {
            guard let colour = table[Int(label)] else { continue }
            func mix(_ offset: Int, _ value: UInt8) {
                let old = Double(result.pixels[4 * index + offset])
                result.pixels[4 * index + offset] = UInt8((old + (Double(value) - old) * share).rounded())
            }
            mix(0, colour.red)
            mix(1, colour.green)
            mix(2, colour.blue)
            if image == nil { result.pixels[4 * index + 3] = 255 }
        }
        return result
    }
}

/// Images in rows with captions, label maps over them, and a legend of the classes that occur.
public struct ImageGrid: Figure {
    public var rows: [[ImageTile]]
    public var title: String?
    public var palette: LabelPalette
    /// Whether the classes that occur are listed below.
    public var legend = true
    /// Width of a column in drawing units; from the number of columns when nil.
    public var tileWidth: Double?
    public var theme = Theme.light

    /// Pictures by rows; rows may differ in length.
    public init(_ rows: [[ImageTile]], title: String? = nil, palette: LabelPalette = LabelPalette(colours: [])) {
        self.rows = rows
        self.title = title
        self.palette = palette
    }

    /// A single picture.
    public init(_ image: RGBAImage, caption: String = "", title: String? = nil) throws {
        self.init([[try ImageTile(image: image, caption: caption)]], title: title)
    }

    /// Pictures of any number in rows of `columns`.
    public static func wrapped(
        _ tiles: [ImageTile], columns: Int, title: String? = nil, palette: LabelPalette = LabelPalette(colours: [])
    ) -> ImageGrid {
        let columns = max(1, columns)
        let rows = stride(from: 0, to: tiles.count, by: columns).map { Array(tiles[$0..<min($0 + columns, tiles.count)]) }
        return ImageGrid(rows, title: title, palette: palette)
    }

    private static let margin = 14.0
    private static let gap = 8.0

    private var columns: Int { max(1, rows.map(\.count).max() ?? 1) }

    private var columnWidth: Double {
        if let tileWidth, tileWidth.isFinite { return max(8, min(tileWidth, 4000)) }
        return max(120, min(360, 820 / Double(columns)))
    }

    /// Pixels that enlarged pictures have together at most: of many, each gets less of its hard edges.
    private static let mostEnlarged = 1 << 24

    /// How many times as wide and high a picture is made.
    private func enlargement(_ tile: ImageTile, zoom: Double, of tiles: Int) -> Int {
        guard zoom > 1 else { return 1 }
        let share = Double(ImageGrid.mostEnlarged / max(1, tiles)) / (Double(tile.width) * Double(tile.height))
        return max(1, min(Int((2 * zoom).rounded(.up)), 1600 / max(tile.width, tile.height), Int(share.squareRoot())))
    }

    private func tileHeight(_ tile: ImageTile, in columnWidth: Double) -> Double { columnWidth * Double(tile.height) / Double(tile.width) }

    /// - Parameter columnWidth: all rows are looked at for it, so that who walks through them asks once.
    private func rowHeight(_ row: [ImageTile], in columnWidth: Double) -> Double {
        (row.map { tileHeight($0, in: columnWidth) }.max() ?? 0) + (row.contains { !$0.caption.isEmpty } ? theme.small.lineHeight + 2 : 0)
    }

    /// Entries of the classes that occur, in the order of their numbers.
    private var entries: Legend {
        guard legend else { return Legend(entries: [], theme: theme) }
        var present = [Bool](repeating: false, count: 256)
        for tile in rows.joined() {
            for label in tile.labels?.labels ?? [] { present[Int(label)] = true }
        }
        let entries = (0...255).filter { present[$0] }.compactMap { label in
            palette.colour(UInt8(label)).map { Legend.Entry(name: palette.name(UInt8(label)), mark: .box($0)) }
        }
        return Legend(entries: entries, theme: theme)
    }

    private var width: Double {
        max(
            Double(columns) * (columnWidth + ImageGrid.gap) - ImageGrid.gap + 2 * ImageGrid.margin,
            title.map { theme.title.width($0) + 28 } ?? 0)
    }

    private var top: Double { ImageGrid.margin + (title == nil ? 0 : theme.title.lineHeight + 6) }

    public var size: Size {
        let columnWidth = columnWidth
        let heights = rows.map { rowHeight($0, in: columnWidth) + ImageGrid.gap }.reduce(0, +)
        return Size(width, max(60, top + heights + entries.height(width - 2 * ImageGrid.margin) + ImageGrid.margin))
    }

    public func draw(on canvas: Canvas) {
        let margin = ImageGrid.margin
        if let title { canvas.text(title, at: Point(margin, 12), theme.title, theme.ink, .left, .top) }
        if rows.joined().isEmpty { canvas.text("no images", at: Point(margin, top), theme.label, theme.muted, .left, .top) }
        var y = top
        let columnWidth = columnWidth
        let tiles = rows.reduce(0) { $0 + $1.count }
        for row in rows {
            for (column, tile) in row.enumerated() {
                let frame = Rect(margin + Double(column) * (columnWidth + ImageGrid.gap), y, columnWidth, tileHeight(tile, in: columnWidth))
                // Void of a label map without an image shows as a light ground.
                canvas.fill(.rectangle(frame), theme.grid)
                // Small pictures keep their hard pixels, large ones are averaged; label colours never blend.
                let zoom = frame.width / Double(tile.width)
                // SVG viewers blur what they enlarge, whatever Cairo asks of them; so the hard pixels are made here.
                if canvas.isInterrupted { return }
                let factor = enlargement(tile, zoom: zoom, of: tiles)
                canvas.image(tile.composed(palette).enlarged(factor), in: frame, smooth: zoom < 1 && tile.image != nil)
                if !tile.caption.isEmpty {
                    let caption = theme.small.fitted(tile.caption, to: columnWidth)
                    canvas.text(caption, at: Point(frame.midX, frame.maxY + 4), theme.small, theme.ink, .centre, .top)
                }
            }
            y += rowHeight(row, in: columnWidth) + ImageGrid.gap
        }
        entries.draw(canvas, at: Point(margin, y), width: width - 2 * margin)
    }

    public func text(_ style: TextStyle) -> String { ImageText.render(self, style) }
}
