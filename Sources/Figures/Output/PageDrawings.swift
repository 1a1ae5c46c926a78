import Base
import CCairo

/// Figures on an HTML page: inline SVG whose words are text, a tenth of the size of a document with outlines, and whose colours follow the
/// page's theme. All figures of a page share one table of colours, `css`.
public struct PageDrawings {
    private struct Pair: Hashable {
        var light: String
        var dark: String
    }

    private var numbers: [Pair: Int] = [:]
    private var pairs: [Pair] = []

    /// A page without figures.
    public init() {}

    /// Definitions of the colours that differ between the themes, as `--k0:#fff;--k1:...`, for one of them.
    public func variables(dark: Bool) -> String {
        pairs.enumerated().map { "--k\($0):\(dark ? $1.dark : $1.light)" }.joined(separator: ";")
    }

    /// The figure as an SVG element that is at most its natural width wide and shrinks with the page.
    /// - Parameter label: what a screen reader says.
    /// - Throws: `FigureError.drawing` when there is no memory.
    public mutating func svg(_ figure: some Figure, label: String) throws -> String {
        let light = try PageDrawings.record(figure.themed(.light)), dark = try PageDrawings.record(figure.themed(.dark))
        let size = Surfaces.page(figure)
        let (width, height) = (Int(size.width), Int(size.height))
        var text = "<svg class=\"figure\" role=\"img\" aria-label=\"\(SVGDocument.escaped(label))\" viewBox=\"0 0 \(width) \(height)\" "
            + "width=\"\(width)\" height=\"\(height)\">"
        // Themes change colours, never what is drawn or in which order; were it not so, the light colours would stand in both.
        let agree = light.count == dark.count
        for (index, item) in light.enumerated() {
            let colour = colour(item.colour, agree ? dark[index].colour : item.colour)
            text += try PageDrawings.element(item.mark, colour)
        }
        return text + "</svg>"
    }

    private static func record(_ figure: some Figure) throws -> [(mark: DrawingRecord.Mark, colour: Colour)] {
        guard let surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, 1, 1), let context = cairo_create(surface) else {
            throw FigureError.drawing("out of memory")
        }
        defer {
            cairo_destroy(context)
            cairo_surface_destroy(surface)
        }
        let canvas = Canvas(context: context)
        let record = DrawingRecord()
        canvas.record = record
        figure.draw(on: canvas)
        try canvas.finish()
        return record.marks
    }

    /// The colour as an attribute's value.
    private mutating func colour(_ light: Colour, _ dark: Colour) -> String {
        let pair = Pair(light: PageDrawings.hex(light), dark: PageDrawings.hex(dark))
        if pair.light == pair.dark { return pair.light }
        let number = numbers[pair] ?? pairs.count
        if number == pairs.count {
            numbers[pair] = number
            pairs.append(pair)
        }
        return "var(--k\(number))"
    }

    /// `#rrggbb`, with two more digits where the colour is not opaque.
    private static func hex(_ colour: Colour) -> String {
        func two(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        let (red, green, blue) = colour.bytes
        let alpha = UInt8(max(0, min(255, (colour.alpha * 255).rounded())))
        return "#" + two(red) + two(green) + two(blue) + (alpha == 255 ? "" : two(alpha))
    }

    private static func element(_ mark: DrawingRecord.Mark, _ colour: String) throws -> String {
        switch mark {
        case .fill(let path): return "<path d=\"\(data(path))\" fill=\"\(colour)\"/>"
        case .stroke(let path, let width, let dash, let round):
            var text = "<path d=\"\(data(path))\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"\(short(width))\""
            if round { text += dash.isEmpty ? " stroke-linecap=\"round\" stroke-linejoin=\"round\"" : " stroke-linejoin=\"round\"" }
            if !dash.isEmpty { text += " stroke-dasharray=\"\(dash.map(short).joined(separator: " "))\"" }
            return text + "/>"
        case .text(let string, let anchor, let start, let font, let width, let rotation):
            let place = rotation == 0
                ? "x=\"\(short(anchor.x + start.x))\" y=\"\(short(anchor.y + start.y))\""
                : "x=\"\(short(start.x))\" y=\"\(short(start.y))\" transform=\"translate(\(short(anchor.x)) \(short(anchor.y)))rotate(\(short(rotation)))\""
            return "<text \(place) font-size=\"\(short(font.size))\"\(font.bold ? " font-weight=\"bold\"" : "") fill=\"\(colour)\" "
                + "textLength=\"\(short(width))\" lengthAdjust=\"spacingAndGlyphs\">\(SVGDocument.escaped(string))</text>"
        case .image(let image, let rect, let smooth):
            let png = Base64.text(try png(image)[...])
            return "<image x=\"\(short(rect.x))\" y=\"\(short(rect.y))\" width=\"\(short(rect.width))\" height=\"\(short(rect.height))\" "
                + "preserveAspectRatio=\"none\"\(smooth ? "" : " style=\"image-rendering:pixelated\"") href=\"data:image/png;base64,\(png)\"/>"
        case .clip(let rect):
            // An inner drawing with the same coordinates cuts off what lies outside of it.
            let (x, y, width, height) = (short(rect.x), short(rect.y), short(rect.width), short(rect.height))
            return "<svg x=\"\(x)\" y=\"\(y)\" width=\"\(width)\" height=\"\(height)\" viewBox=\"\(x) \(y) \(width) \(height)\">"
        case .endClip: return "</svg>"
        case .shift(let origin, let scale):
            return "<g transform=\"translate(\(short(origin.x)) \(short(origin.y)))\(scale == 1 ? "" : "scale(\(short(scale)))")\">"
        case .endShift: return "</g>"
        }
    }

    private static func png(_ image: RGBAImage) throws -> [UInt8] {
        guard let surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, Int32(image.width), Int32(image.height)),
            let context = cairo_create(surface)
        else { throw FigureError.drawing("out of memory") }
        defer {
            cairo_destroy(context)
            cairo_surface_destroy(surface)
        }
        Canvas(context: context).image(image, in: Rect(0, 0, Double(image.width), Double(image.height)), smooth: false)
        return try Surfaces.png(of: surface)
    }

    private static func data(_ path: Path) -> String {
        func at(_ p: Point) -> String { short(p.x) + " " + short(p.y) }
        return path.elements.map { element in
            switch element {
            case .move(let p): "M" + at(p)
            case .line(let p): "L" + at(p)
            case .curve(let a, let b, let p): "C" + at(a) + " " + at(b) + " " + at(p)
            case .close: "Z"
            }
        }.joined()
    }

    /// Hundredths of a pixel.
    private static func short(_ value: Double) -> String { NumberText.trimmed(NumberText.fixed(value, 2)) }
}
