import Base
import CCairo

/// Makes an SVG document of a figure and repairs what Cairo's own output lacks for notebooks.
enum SVGDocument {
    static func make(_ figure: some Figure) throws -> String {
        let (bytes, texts) = try Surfaces.document(figure) { write, closure, size in
            let surface = cairo_svg_surface_create_for_stream(write, closure, size.width, size.height)
            // Pixels, not the default points: a notebook shows the figure at its natural size.
            cairo_svg_surface_set_document_unit(surface, CAIRO_SVG_UNIT_PX)
            return surface
        }
        return withText(texts, in: String(decoding: uniqueNames(in: bytes), as: UTF8.self))
    }

    /// Cairo calls its glyphs glyph0-1 and so on in every document, so two of them in one HTML page would take each other's letters;
    /// other names count on over the process's life, so the same figure would never give the same file. Both end here: names become
    /// numbers in order of appearance behind a prefix from the content.
    private static func uniqueNames(in document: [UInt8]) -> [UInt8] {
        let plain = renamed(document, prefix: [])
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325  // FNV-1a
        for byte in plain { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return renamed(plain, prefix: Array("f\(String(hash, radix: 36))-".utf8))
    }

    /// The document with every name behind ` id="`, `"#` and `(#` replaced by the prefix and its number.
    private static func renamed(_ document: [UInt8], prefix: [UInt8]) -> [UInt8] {
        let markers = [" id=\"", "\"#", "(#"].map { Array($0.utf8) }
        let (quote, hash, parenthesis) = (UInt8(ascii: "\""), UInt8(ascii: "#"), UInt8(ascii: ")"))
        var numbers: [ArraySlice<UInt8>: Int] = [:]
        var result: [UInt8] = []
        result.reserveCapacity(document.count + document.count / 4)
        var index = 0
        while index < document.count {
            let byte = document[index]
            result.append(byte)
            index += 1
            guard byte == quote || byte == hash else { continue }
            guard markers.contains(where: { result.suffix($0.count).elementsEqual($0) }) else { continue }
            let end = document[index...].firstIndex { $0 == quote || $0 == parenthesis } ?? document.count
            let number = numbers[document[index..<end]] ?? numbers.count
            numbers[document[index..<end]] = number
            result += prefix + Array(String(number).utf8)
            index = end
        }
        return result
    }

    /// Adds the words as transparent text over their outlines.
    private static func withText(_ texts: [PlacedText], in document: String) -> String {
        var document = Substring(document)
        while let last = document.last, last.isNewline { document.removeLast() }
        guard !texts.isEmpty, document.hasSuffix("</svg>") else { return String(document) + "\n" }
        var layer = "<g class=\"words\" fill=\"#000\" fill-opacity=\"0\" xml:space=\"preserve\">\n"
        for text in texts {
            let (x, y) = (NumberText.fixed(text.origin.x, 2), NumberText.fixed(text.origin.y, 2))
            layer += "<text x=\"\(x)\" y=\"\(y)\" font-family=\"\(escaped(text.font.family)), sans-serif\""
            layer += " font-size=\"\(NumberText.short(text.font.size, digits: 4))\""
            if text.font.bold { layer += " font-weight=\"bold\"" }
            layer += " textLength=\"\(NumberText.fixed(text.box.width, 2))\""
            if text.rotation != 0 { layer += " transform=\"rotate(\(NumberText.short(text.rotation)) \(x) \(y))\"" }
            layer += ">\(escaped(text.text))</text>\n"
        }
        return document.dropLast("</svg>".count) + layer + "</g>\n</svg>\n"
    }

    /// The text with XML's own characters written as entities and characters XML forbids left out.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.printable.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
