import Base
import CCairo

/// A font of Cairo's toy interface: family, size in drawing units, weight.
public struct Font: Hashable, Sendable {
    public var family: String
    public var size: Double
    public var bold = false

    /// Heights around the baseline as shares of the size: capitals, and the box that two lines must not share.
    static let capHeight = 0.73
    static let ascent = 0.80
    static let descent = 0.24

    /// Distance between the baselines of two lines.
    public var lineHeight: Double { size * 1.3 }

    /// Width of the text in drawing units when it is set in one line.
    public func width(_ text: String) -> Double { TextRuler.shared.width(text, self) }

    /// Width of the widest of the texts; zero for none.
    public func width(_ texts: [String]) -> Double { texts.map { width($0) }.max() ?? 0 }

    /// The text cut at its end so that it is at most `limit` wide, with an ellipsis where something was cut.
    public func fitted(_ text: String, to limit: Double) -> String {
        guard width(text) > limit else { return text }
        let characters = Array(text)
        // By halves: the longer the part that is kept, the wider it is.
        var fits = 0, tooMany = characters.count
        while tooMany - fits > 1 {
            let middle = (fits + tooMany) / 2
            if width(String(characters[..<middle]) + "…") <= limit { fits = middle } else { tooMany = middle }
        }
        return String(characters[..<fits]) + "…"
    }

    /// Makes this the font of a drawing context. Hints are off so that widths are the same in every format and at every scale.
    func select(in context: OpaquePointer) {
        cairo_select_font_face(
            context, family, CAIRO_FONT_SLANT_NORMAL, bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL)
        cairo_set_font_size(context, size)
        let options = cairo_font_options_create()
        cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF)
        cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE)
        cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY)
        cairo_set_font_options(context, options)
        cairo_font_options_destroy(options)
    }
}

/// Measures text without a picture: figures know the size of their labels before they choose their own.
final class TextRuler: @unchecked Sendable {
    static let shared = TextRuler()

    private let lock = Lock()
    private let context: OpaquePointer?
    private var current: Font?

    private init() {
        let surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1)
        context = cairo_create(surface)
        cairo_surface_destroy(surface)  // the context keeps it
    }

    func width(_ text: String, _ font: Font) -> Double {
        lock.held {
            guard let context else { return 0 }
            if current != font {
                font.select(in: context)
                current = font
            }
            var extents = cairo_text_extents_t()
            cairo_text_extents(context, text.printable, &extents)
            return extents.x_advance
        }
    }
}

extension String {
    /// The text without control characters: Cairo would stop at a NUL and XML forbids most of the others.
    var printable: String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) }
        guard unicodeScalars.contains(where: isControl) else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.map { isControl($0) ? " " : $0 }))
    }
}
