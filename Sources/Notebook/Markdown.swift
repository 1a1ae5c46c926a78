import CMarkdown
import Figures
import Glibc
import Tensors

/// Markdown as GitHub has it (cmark-gfm): tables, struck text, task lists. HTML in it is left out.
public enum Markdown {
    /// A heading of a text, and the name that links to it have.
    public struct Heading: Sendable {
        public let level: Int
        public let text: String
        public let anchor: String
    }

    /// - Parameters:
    ///   - folder: where pictures that it names lie; they become part of the page. Others, and those of the net, are named by their text.
    ///   - anchors: in use so far; those of the headings are added.
    public static func html(_ text: String, folder: String, anchors: inout Set<String>) -> (html: String, headings: [Heading]) {
        register
        guard let parser = cmark_parser_new(CMARK_OPT_DEFAULT) else { return ("", []) }
        defer { cmark_parser_free(parser) }
        for name in ["table", "strikethrough", "autolink", "tasklist"] {
            if let found = cmark_find_syntax_extension(name) { cmark_parser_attach_syntax_extension(parser, found) }
        }
        var bytes = text
        bytes.withUTF8 { cmark_parser_feed(parser, UnsafeRawPointer($0.baseAddress)?.assumingMemoryBound(to: CChar.self), $0.count) }
        guard let document = cmark_parser_finish(parser) else { return ("", []) }
        defer { cmark_node_free(document) }
        let headings = walk(document, folder: folder, &anchors)
        guard let rendered = cmark_render_html(document, CMARK_OPT_DEFAULT, cmark_parser_get_syntax_extensions(parser)) else { return ("", headings) }
        defer { free(rendered) }
        return (named(String(cString: rendered), headings), headings)
    }

    private static let register: Void = cmark_gfm_core_extensions_ensure_registered()

    /// Puts pictures into the page, and finds the headings.
    private static func walk(_ document: OpaquePointer, folder: String, _ anchors: inout Set<String>) -> [Heading] {
        var headings: [Heading] = []
        var pictures: [OpaquePointer] = []
        let walk = cmark_iter_new(document)
        defer { cmark_iter_free(walk) }
        while true {
            let event = cmark_iter_next(walk)
            if event == CMARK_EVENT_DONE { break }
            guard event == CMARK_EVENT_ENTER, let node = cmark_iter_get_node(walk) else { continue }
            let kind = cmark_node_get_type(node)
            if kind == CMARK_NODE_IMAGE { pictures.append(node) }
            if kind == CMARK_NODE_HEADING {
                let text = plain(node)
                headings.append(Heading(level: Int(cmark_node_get_heading_level(node)), text: text, anchor: anchor(text, &anchors)))
            }
        }
        for picture in pictures {
            if let source = cmark_node_get_url(picture).flatMap({ embedded(String(cString: $0), folder) }) {
                cmark_node_set_url(picture, source)
            } else {
                let text = cmark_node_new(CMARK_NODE_TEXT)
                cmark_node_set_literal(text, "[\(plain(picture))]")
                cmark_node_replace(picture, text)
                cmark_node_free(picture)
            }
        }
        return headings
    }

    private static func plain(_ node: OpaquePointer) -> String {
        if let literal = cmark_node_get_literal(node) { return String(cString: literal) }
        var text = "", child = cmark_node_first_child(node)
        while let next = child {
            text += plain(next)
            child = cmark_node_next(next)
        }
        return text
    }

    /// As GitHub makes them: small letters and digits, hyphens for spaces.
    private static func anchor(_ text: String, _ anchors: inout Set<String>) -> String {
        var name = ""
        for character in text.lowercased() {
            if character.isLetter || character.isNumber || character == "-" || character == "_" { name.append(character) } else if character == " " { name.append("-") }
        }
        if name.isEmpty { name = "section" }
        var unique = name, count = 1
        while !anchors.insert(unique).inserted {
            unique = "\(name)-\(count)"
            count += 1
        }
        return unique
    }

    /// The page's headings with their names; cmark writes them in the order in which they were found.
    private static func named(_ html: String, _ headings: [Heading]) -> String {
        var result = "", rest = html[...]
        for heading in headings {
            let tag = "<h\(heading.level)>"
            guard let place = rest.firstRange(of: tag) else { continue }
            result += rest[..<place.lowerBound] + "<h\(heading.level) id=\"\(heading.anchor)\">"
            rest = rest[place.upperBound...]
        }
        return result + rest
    }

    /// A picture's file as part of the page; nil where that is not possible.
    private static func embedded(_ url: String, _ folder: String) -> String? {
        let kinds = ["png": "png", "jpg": "jpeg", "jpeg": "jpeg", "gif": "gif", "webp": "webp"]
        guard !url.contains(":"), let dot = url.lastIndex(of: "."), let kind = kinds[url[url.index(after: dot)...].lowercased()] else { return nil }
        guard let bytes = try? Files.contents(url.hasPrefix("/") ? url : folder + "/" + url, limit: 1 << 26) else { return nil }
        return bytes.isEmpty ? nil : "data:image/\(kind);base64,\(Base64.text(bytes[...]))"
    }
}
