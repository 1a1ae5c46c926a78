import CCairo
import CKernels

/// A text that was drawn, with the box that no other text should enter.
public struct PlacedText: Hashable, Sendable {
    public var text: String
    /// The upright box of the text before rotation; for rotated text it hangs at `origin`.
    public var box: Rect
    /// Start of the baseline.
    public var origin: Point
    public var font: Font
    /// Clockwise, in degrees.
    public var rotation: Double

    /// The corners of the box after rotation.
    public var corners: [Point] {
        let angle = rotation * .pi / 180
        let (sine, cosine) = (sineOf(angle), cosineOf(angle))
        return [Point(box.x, box.y), Point(box.maxX, box.y), Point(box.maxX, box.maxY), Point(box.x, box.maxY)].map {
            let (dx, dy) = ($0.x - origin.x, $0.y - origin.y)
            return Point(origin.x + dx * cosine - dy * sine, origin.y + dx * sine + dy * cosine)
        }
    }
}

/// What figures draw on: a thin layer over a Cairo context, the same for every format.
public final class Canvas {
    /// Where a text hangs horizontally and vertically.
    public enum Horizontal: Sendable { case left, centre, right }
    /// Where a text hangs vertically: by the top of its line, the middle of its capitals, its baseline or the bottom of its line.
    public enum Vertical: Sendable { case top, middle, baseline, bottom }

    /// How the ends of a line look.
    public struct Stroke: Hashable, Sendable {
        public var colour: Colour
        public var width: Double
        public var dash: [Double]
        public var round: Bool

        /// A line in a colour; `dash` holds the lengths of strokes and gaps by turns, empty for a solid line.
        public init(_ colour: Colour, width: Double = 1, dash: [Double] = [], round: Bool = true) {
            self.colour = colour
            self.width = width
            self.dash = dash
            self.round = round
        }
    }

    private let context: OpaquePointer
    /// Every text drawn so far, in page coordinates: the source of the searchable text in SVG, and of the overlap tests.
    public private(set) var texts: [PlacedText] = []
    /// Where everything is written down instead of drawn, when there is such a place.
    var record: DrawingRecord?

    /// Draws on a Cairo context that the caller owns.
    init(context: OpaquePointer) {
        self.context = context
    }

    // MARK: - Interrupts

    /// Whether Ctrl-C was pressed while the figure was drawn: nothing is drawn from then on, so that what is left of `draw` ends soon.
    public private(set) var isInterrupted = false

    private func goesOn() -> Bool {
        if trellis_interrupt_pending() { isInterrupted = true }
        return !isInterrupted
    }

    /// - Throws: `FigureError.interrupted` when the figure is not whole.
    func finish() throws {
        if isInterrupted { throw FigureError.interrupted }
    }

    // MARK: - Shapes

    /// Fills the inside of a path.
    public func fill(_ path: Path, _ colour: Colour) {
        guard goesOn(), trace(path) else { return }
        if let record { return record.add(.fill(path), colour) }
        set(colour)
        cairo_fill(context)
    }

    /// Draws the outline of a path.
    public func stroke(_ path: Path, _ stroke: Stroke) {
        guard goesOn(), stroke.width > 0, trace(path) else { return }
        if let record {
            return record.add(.stroke(path, width: stroke.width, dash: stroke.dash, round: stroke.round), stroke.colour)
        }
        set(stroke.colour)
        cairo_set_line_width(context, stroke.width)
        cairo_set_line_cap(context, stroke.round && stroke.dash.isEmpty ? CAIRO_LINE_CAP_ROUND : CAIRO_LINE_CAP_BUTT)
        cairo_set_line_join(context, stroke.round ? CAIRO_LINE_JOIN_ROUND : CAIRO_LINE_JOIN_MITER)
        cairo_set_dash(context, stroke.dash, Int32(stroke.dash.count), 0)
        cairo_stroke(context)
    }

    /// Draws a straight line.
    public func line(_ from: Point, _ to: Point, _ colour: Colour, width: Double = 1, dash: [Double] = []) {
        stroke(Path(through: [from, to]), Stroke(colour, width: width, dash: dash, round: false))
    }

    /// A straight arrow whose tip touches `to`.
    public func arrow(_ from: Point, _ to: Point, _ colour: Colour, width: Double, head: Double) {
        let (dx, dy) = (to.x - from.x, to.y - from.y)
        let length = (dx * dx + dy * dy).squareRoot()
        guard length > 0 else { return }
        let (ux, uy) = (dx / length, dy / length)
        let head = min(head, length)
        let base = Point(to.x - ux * head, to.y - uy * head)
        let half = head * 0.45
        // The line ends inside the head, so that no gap shows between the two.
        let end = Point(to.x - ux * head * 0.7, to.y - uy * head * 0.7)
        stroke(Path(through: [from, end]), Stroke(colour, width: width, round: false))
        fill(
            Path(
                through: [to, Point(base.x - uy * half, base.y + ux * half), Point(base.x + uy * half, base.y - ux * half)],
                closed: true),
            colour)
    }

    /// Draws with everything outside the rectangle cut away.
    public func clipped(to rect: Rect, _ body: () -> Void) {
        if let record {
            record.add(.clip(rect))
            body()
            return record.add(.endClip)
        }
        cairo_save(context)
        _ = trace(.rectangle(rect))
        cairo_clip(context)
        body()
        cairo_restore(context)
    }

    /// Draws with the origin moved to `origin` and everything scaled.
    public func translated(to origin: Point, scale: Double = 1, _ body: () -> Void) {
        if let record {
            record.add(.shift(origin, scale: scale))
            body()
            return record.add(.endShift)
        }
        cairo_save(context)
        cairo_translate(context, origin.x, origin.y)
        cairo_scale(context, scale, scale)
        body()
        cairo_restore(context)
    }

    // MARK: - Text

    /// One line of text that hangs at `point`; rotation is clockwise about it, in degrees. Returns the unrotated box.
    @discardableResult
    public func text(
        _ string: String, at point: Point, _ font: Font, _ colour: Colour, _ horizontal: Horizontal = .left,
        _ vertical: Vertical = .baseline, rotation: Double = 0
    ) -> Rect {
        guard goesOn(), !string.isEmpty, point.x.isFinite, point.y.isFinite else { return Rect(point.x, point.y, 0, 0) }
        let width = font.width(string)
        var x = 0.0
        var y = 0.0
        switch horizontal {
        case .left: break
        case .centre: x = -width / 2
        case .right: x = -width
        }
        switch vertical {
        case .top: y = font.size * Font.ascent
        // Between baseline and the top of capitals, so that lines of text with and without descenders stand level.
        case .middle: y = font.size * Font.capHeight / 2
        case .baseline: break
        case .bottom: y = -font.size * Font.descent
        }
        let box = Rect(point.x + x, point.y + y - font.size * Font.ascent, width, font.size * (Font.ascent + Font.descent))
        if let record {
            record.add(.text(string.printable, anchor: point, start: Point(x, y), font, width: width, rotation: rotation), colour)
            return box
        }
        cairo_save(context)
        cairo_translate(context, point.x, point.y)
        cairo_rotate(context, rotation * .pi / 180)
        cairo_move_to(context, x, y)
        font.select(in: context)
        set(colour)
        cairo_show_text(context, string.printable)
        remember(string, Point(x, y), width, font, rotation)
        cairo_restore(context)
        return box
    }

    /// Remembers a text in page coordinates.
    private func remember(_ string: String, _ start: Point, _ width: Double, _ font: Font, _ rotation: Double) {
        var (x, y) = (start.x, start.y)
        cairo_user_to_device(context, &x, &y)
        // All transformations here are shifts, even scalings and the text's own rotation.
        var (ux, uy) = (1.0, 0.0)
        cairo_user_to_device_distance(context, &ux, &uy)
        let scale = (ux * ux + uy * uy).squareRoot() / deviceScale
        x /= deviceScale
        y /= deviceScale
        var font = font
        font.size *= scale
        texts.append(
            PlacedText(
                text: string,
                box: Rect(x, y - font.size * Font.ascent, width * scale, font.size * (Font.ascent + Font.descent)),
                origin: Point(x, y), font: font, rotation: rotation))
    }

    /// Device pixels per drawing unit of the whole page.
    var deviceScale = 1.0

    // MARK: - Pictures

    /// Draws an RGBA picture into the rectangle; `smooth` chooses between averaging and hard pixels.
    public func image(_ image: RGBAImage, in rect: Rect, smooth: Bool) {
        guard goesOn(), image.width > 0, image.height > 0, rect.width > 0, rect.height > 0 else { return }
        if let record { return record.add(.image(image, rect, smooth: smooth)) }
        guard let surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, Int32(image.width), Int32(image.height)),
            cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS, let data = cairo_image_surface_get_data(surface)
        else { return }
        cairo_surface_flush(surface)
        let stride = Int(cairo_image_surface_get_stride(surface))
        image.pixels.withUnsafeBufferPointer { pixels in
            for y in 0..<image.height {
                for x in 0..<image.width {
                    let source = (y * image.width + x) * 4
                    let alpha = UInt32(pixels[source + 3])
                    // Cairo wants components already multiplied by opacity, as native-endian 0xAARRGGBB.
                    let red = (UInt32(pixels[source]) * alpha + 127) / 255
                    let green = (UInt32(pixels[source + 1]) * alpha + 127) / 255
                    let blue = (UInt32(pixels[source + 2]) * alpha + 127) / 255
                    let word = alpha << 24 | red << 16 | green << 8 | blue
                    UnsafeMutableRawPointer(data + y * stride + x * 4).storeBytes(of: word, as: UInt32.self)
                }
            }
        }
        cairo_surface_mark_dirty(surface)
        cairo_save(context)
        cairo_translate(context, rect.x, rect.y)
        cairo_scale(context, rect.width / Double(image.width), rect.height / Double(image.height))
        cairo_set_source_surface(context, surface, 0, 0)
        let pattern = cairo_get_source(context)
        cairo_pattern_set_filter(pattern, smooth ? CAIRO_FILTER_GOOD : CAIRO_FILTER_NEAREST)
        // Without this, smoothing blends the border with transparent black.
        cairo_pattern_set_extend(pattern, CAIRO_EXTEND_PAD)
        cairo_rectangle(context, 0, 0, Double(image.width), Double(image.height))
        cairo_fill(context)
        cairo_restore(context)
        cairo_surface_destroy(surface)
    }

    // MARK: - Details

    private func set(_ colour: Colour) {
        cairo_set_source_rgba(context, colour.red, colour.green, colour.blue, colour.alpha)
    }

    /// Makes the path Cairo's current one; false when a coordinate is no number, which Cairo would answer with an error state.
    private func trace(_ path: Path) -> Bool {
        func fine(_ p: Point) -> Bool { p.x.isFinite && p.y.isFinite && abs(p.x) < 1e7 && abs(p.y) < 1e7 }
        cairo_new_path(context)
        for element in path.elements {
            switch element {
            case .move(let p):
                guard fine(p) else { return false }
                cairo_move_to(context, p.x, p.y)
            case .line(let p):
                guard fine(p) else { return false }
                cairo_line_to(context, p.x, p.y)
            case .curve(let a, let b, let p):
                guard fine(a), fine(b), fine(p) else { return false }
                cairo_curve_to(context, a.x, a.y, b.x, b.y, p.x, p.y)
            case .close:
                cairo_close_path(context)
            }
        }
        return !path.elements.isEmpty
    }
}
