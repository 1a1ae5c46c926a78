import Base

/// Something that can be drawn: a value with its data, a size and a way to draw itself, as picture and as text.
///
/// Every figure can be saved (`save`), shown in a notebook (`svg()`, `png()`) and at the prompt (`rendered(for:)`).
public protocol Figure: Sendable {
    /// Colours and font sizes.
    var theme: Theme { get set }
    /// Natural size in drawing units: CSS pixels in SVG, points in PDF, pixels in a PNG of scale 1.
    var size: Size { get }
    /// Draws inside (0, 0) ... `size`. The background is already filled.
    func draw(on canvas: Canvas)
    /// The figure in characters, at most `style.width` columns wide, without a line break at the end.
    func text(_ style: TextStyle) -> String
}

/// Formats a figure can be saved in.
public enum FigureFormat: String, CaseIterable, Sendable {
    case svg, png, pdf
    /// The Unicode drawing without colours.
    case txt

    /// The format that a file name asks for by its extension, whatever its case.
    ///
    /// - Throws: `FigureError.unknownFormat`.
    public init(path: String) throws {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: "."), let format = FigureFormat(rawValue: name[name.index(after: dot)...].lowercased())
        else { throw FigureError.unknownFormat(path: path) }
        self = format
    }
}

extension Figure {
    /// The figure as an SVG document. Glyphs are drawn as outlines, so it looks the same everywhere; the words are there a second
    /// time as invisible text for search, selection and screen readers.
    public func svg() throws -> String { try SVGDocument.make(self) }

    /// The figure as PNG; `scale` is pixels per drawing unit (2 is crisp on dense screens).
    public func png(scale: Double = 2) throws -> [UInt8] { try Raster.png(self, scale: scale) }

    /// The figure as a PDF page with selectable text.
    public func pdf() throws -> [UInt8] { try PDFDocument.make(self) }

    /// The figure's bytes in a format.
    public func data(_ format: FigureFormat, scale: Double = 2) throws -> [UInt8] {
        switch format {
        case .svg: return Array(try svg().utf8)
        case .png: return try png(scale: scale)
        case .pdf: return try pdf()
        case .txt: return Array((text(TextStyle(width: 120)) + "\n").utf8)
        }
    }

    /// Writes the figure, whole or not at all; the extension chooses the format: `.svg`, `.png`, `.pdf` or `.txt`.
    ///
    /// - Parameter scale: pixels per drawing unit of a PNG.
    /// - Throws: `FigureError.unknownFormat` before anything is drawn, `.drawing`; `FileError` when it cannot be written.
    public func save(_ path: String, scale: Double = 2) throws {
        let format = try FigureFormat(path: path)
        try AtomicFile.write(try data(format, scale: scale), to: path)
    }

    /// A copy in another theme.
    public func themed(_ theme: Theme) -> Self {
        var copy = self
        copy.theme = theme
        return copy
    }
}
