import CCairo

/// What comes out of a Cairo surface that writes into memory.
private final class Collected {
    var bytes: [UInt8] = []

    /// The C function that Cairo calls with each piece.
    static let append: cairo_write_func_t = { closure, data, count in
        guard let closure, let data else { return CAIRO_STATUS_WRITE_ERROR }
        Unmanaged<Collected>.fromOpaque(closure).takeUnretainedValue()
            .bytes.append(contentsOf: UnsafeBufferPointer(start: data, count: Int(count)))
        return CAIRO_STATUS_SUCCESS
    }
}

/// Runs the drawing of a figure on one of Cairo's surfaces.
enum Surfaces {
    /// Whole drawing units, at least one: a page has no half pixels.
    static func page(_ figure: some Figure) -> Size {
        let size = figure.size
        return Size(max(1, size.width.rounded(.up)), max(1, size.height.rounded(.up)))
    }

    /// Bytes of a vector document; `make` creates the surface for a write function, a closure and a size.
    static func document(
        _ figure: some Figure,
        _ make: (cairo_write_func_t, UnsafeMutableRawPointer, Size) -> OpaquePointer?
    ) throws -> (bytes: [UInt8], texts: [PlacedText]) {
        let collected = Collected()
        let closure = Unmanaged.passUnretained(collected).toOpaque()
        let size = page(figure)
        guard let surface = make(Collected.append, closure, size) else { throw FigureError.drawing("out of memory") }
        defer { cairo_surface_destroy(surface) }
        let texts = try draw(figure, on: surface, size: size, scale: 1)
        cairo_surface_finish(surface)
        try check(cairo_surface_status(surface))
        return (withExtendedLifetime(collected) { collected.bytes }, texts)
    }

    /// A picture in memory, handed to `body` while it lives.
    static func picture<Result>(_ figure: some Figure, scale: Double, _ body: (OpaquePointer, Int, Int) throws -> Result) throws -> Result {
        guard scale.isFinite, scale > 0 else { throw FigureError.invalid("the scale of a picture must be positive, got \(scale)") }
        let size = page(figure)
        let (width, height) = ((size.width * scale).rounded(), (size.height * scale).rounded())
        guard width >= 1, height >= 1, width <= 32767, height <= 32767 else {
            throw FigureError.drawing("\(width) x \(height) pixels; Cairo's pictures have 1 to 32767 a side")
        }
        guard let surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, Int32(width), Int32(height)) else {
            throw FigureError.drawing("out of memory")
        }
        defer { cairo_surface_destroy(surface) }
        try check(cairo_surface_status(surface))
        _ = try draw(figure, on: surface, size: size, scale: scale)
        cairo_surface_flush(surface)
        return try body(surface, Int(width), Int(height))
    }

    /// PNG bytes of a finished image surface.
    static func png(of surface: OpaquePointer) throws -> [UInt8] {
        let collected = Collected()
        let status = cairo_surface_write_to_png_stream(
            surface, Collected.append, Unmanaged.passUnretained(collected).toOpaque())
        try check(status)
        return withExtendedLifetime(collected) { collected.bytes }
    }

    private static func draw(_ figure: some Figure, on surface: OpaquePointer, size: Size, scale: Double) throws -> [PlacedText] {
        guard let context = cairo_create(surface) else { throw FigureError.drawing("out of memory") }
        defer { cairo_destroy(context) }
        cairo_scale(context, scale, scale)
        let canvas = Canvas(context: context)
        canvas.deviceScale = scale
        canvas.fill(.rectangle(Rect(0, 0, size.width, size.height)), figure.theme.background)
        figure.draw(on: canvas)
        try canvas.finish()
        try check(cairo_status(context))
        return canvas.texts
    }

    static func check(_ status: cairo_status_t) throws {
        guard status != CAIRO_STATUS_SUCCESS else { return }
        throw FigureError.drawing(cairo_status_to_string(status).map { String(cString: $0) } ?? "Cairo status \(status.rawValue)")
    }
}

enum PDFDocument {
    static func make(_ figure: some Figure) throws -> [UInt8] {
        try document(figure).bytes
    }

    /// Every text of the figure with its place.
    static func texts(_ figure: some Figure) throws -> [PlacedText] { try document(figure).texts }

    private static func document(_ figure: some Figure) throws -> (bytes: [UInt8], texts: [PlacedText]) {
        try Surfaces.document(figure) { write, closure, size in
            let surface = cairo_pdf_surface_create_for_stream(write, closure, size.width, size.height)
            // Cairo would write the time of day, and the same figure would never give the same file.
            cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, "2000-01-01T00:00:00Z")
            return surface
        }
    }
}

enum Raster {
    static func png(_ figure: some Figure, scale: Double) throws -> [UInt8] {
        try Surfaces.picture(figure, scale: scale) { surface, _, _ in try Surfaces.png(of: surface) }
    }

    /// The picture as opaque pixels, for terminals that take them raw.
    static func pixels(_ figure: some Figure, scale: Double) throws -> RGBAImage {
        try Surfaces.picture(figure, scale: scale) { surface, width, height in
            var image = RGBAImage(width: width, height: height)
            guard let data = cairo_image_surface_get_data(surface) else { return image }
            let stride = Int(cairo_image_surface_get_stride(surface))
            for y in 0..<height {
                for x in 0..<width {
                    let word = UnsafeRawPointer(data + y * stride + x * 4).loadUnaligned(as: UInt32.self)
                    let target = (y * width + x) * 4
                    image.pixels[target] = UInt8(word >> 16 & 0xFF)
                    image.pixels[target + 1] = UInt8(word >> 8 & 0xFF)
                    image.pixels[target + 2] = UInt8(word & 0xFF)
                    image.pixels[target + 3] = 255
                }
            }
            return image
        }
    }
}
