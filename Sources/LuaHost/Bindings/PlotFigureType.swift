import Figures
import Notebook

/// A figure as Lua holds it.
public final class FigureObject: LuaObject {
    public let figure: any Figure
    init(_ figure: any Figure) { self.figure = figure }

    public static let objectType = ObjectType(
        "figure", of: FigureObject.self, summary: "A picture.",
        detail: "At the prompt, and printed to a terminal, it shows itself: as a picture where the terminal knows kitty's protocol or sixels, else in characters; in notebooks it is a picture. "
            + "TRELLIS_GRAPHICS (kitty, sixel, unicode, ascii, none) decides where it is set; NO_COLOR switches colours off.",
        methods: [save, text, svg],
        fields: [
            Field("width", .number, "Natural width in CSS pixels.", of: { (f: FigureObject) in f.figure.size.width }),
            Field("height", .number, "Natural height in CSS pixels.", of: { (f: FigureObject) in f.figure.size.height }),
        ],
        unique: true, rich: { MIMEBundle(plain: "", figure: $0.figure) }, describing: { figure, output in try output.drawing(of: figure.figure) })

    private static let line = "local f = plot.line({1, 3, 2})\n"

    private static let save = Binding(
        module: "figure", name: "save", parameters: [Argument("path", .string, "ends in .svg, .png, .pdf or .txt")],
        options: [Option("scale", .number, default: 2, "pixels per CSS pixel of a PNG")], returns: [Returns(.object("figure"))], summary: "Writes the figure to a file.",
        detail: "Whole or not at all.", example: line + "f:save('f.svg'):save('f.png', {scale = 1})"
    ) { call in
        let scale: Double = try call.option("scale")
        guard scale > 0, scale <= 32 else { throw call.badOption("scale", "above 0 and at most 32 expected, got \(scale)") }
        try call.this(as: FigureObject.self).figure.save(call.get(1), scale: scale)
        return call.pushThis()
    }

    private static let text = Binding(
        module: "figure", name: "text",
        options: [Option("width", .integer, default: 80, "largest number of columns"), Option("ascii", .boolean, default: false, "only ASCII characters")],
        returns: [Returns(.string)], summary: "The figure in characters, without colours.", example: line + "print(#f:text{width = 60, ascii = true} > 100)  --> true"
    ) { call in
        let style = TextStyle(width: min(1000, try call.option("width")), charset: try call.option("ascii") ? .ascii : .unicode)
        return call.push(try call.this(as: FigureObject.self).figure.text(style))
    }

    private static let svg = Binding(
        module: "figure", name: "svg", returns: [Returns(.string)], summary: "The figure as an SVG document.", example: line + "print(f:svg():find('<svg', 1, true) ~= nil)  --> true"
    ) { call in call.push(try call.this(as: FigureObject.self).figure.svg()) }
}
