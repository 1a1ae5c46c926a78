import Figures
import Notebook

/// A notebook as a page that one can send to somebody: one file, nothing fetched, no script, light and dark, for phones and paper.
struct NotebookPage {
    private let document: NotebookDocument
    private let showsCode: Bool
    private let folder: String
    private var drawings = PageDrawings()
    private var anchors: Set<String> = []
    private var contents: [Markdown.Heading] = []

    /// - Parameter folder: where pictures that the text names lie.
    init(_ document: NotebookDocument, showsCode: Bool, folder: String) {
        self.document = document
        self.showsCode = showsCode
        self.folder = folder
    }

    /// - Parameter title: of a notebook without a heading.
    mutating func html(title: String) throws -> String {
        var body = ""
        for cell in document.cells {
            switch cell.kind {
            case .markdown: body += markdown(cell.source)
            case .raw: body += "<pre class=\"out\">\(HTMLPage.escape(cell.source))</pre>\n"
            case .code: body += try code(cell)
            }
        }
        let title = document.title ?? title
        // The first heading is the page's; a page of one section needs no contents.
        let parts = contents.filter { $0.level == 2 }
        let links = parts.map { "<a href=\"#\($0.anchor)\">\(HTMLPage.escape($0.text))</a>" }.joined()
        if document.title == nil { body = "<h1>\(HTMLPage.escape(title))</h1>\n" + body }
        if parts.count > 1, let end = body.firstRange(of: "</h1>\n") { body.insert(contentsOf: "<nav>\(links)</nav>\n", at: end.upperBound) }
        return HTMLPage.document(title: title, drawings: drawings, style: NotebookPage.style, body: "<main class=\"notebook\">\n\(body)</main>\n")
    }

    private mutating func markdown(_ text: String) -> String {
        let (html, headings) = Markdown.html(text, folder: folder, anchors: &anchors)
        contents += headings
        return "<div class=\"text\">\n\(NotebookPage.scrolling(html))</div>\n"
    }

    /// Tables of Markdown that are wider than the page scroll by themselves.
    private static func scrolling(_ html: String) -> String {
        html.replacing("<table>", with: "<div class=\"scroll\"><table>").replacing("</table>", with: "</table></div>")
    }

    private mutating func code(_ cell: NotebookCell) throws -> String {
        var text = ""
        if showsCode, !cell.source.isEmpty {
            let title = cell.title.isEmpty ? "" : " " + HTMLPage.escape(cell.title)
            let number = cell.number.map { "\($0)" } ?? " "
            text += "<details class=\"code\" open><summary>[\(number)]\(title)</summary><pre><code>\(NotebookPage.coloured(cell.source))</code></pre></details>\n"
        }
        for (index, output) in cell.outputs.enumerated() { text += try shown(output, label: "figure \(cell.number ?? 0).\(index + 1)") }
        return "<div class=\"cell\">\n\(text)</div>\n"
    }

    private mutating func shown(_ output: CellOutput, label: String) throws -> String {
        switch output {
        case .stream(let isError, let text):
            let clean = PlainText.clean(text)
            guard clean.contains(where: { !$0.isNewline }) else { return "" }
            return "<pre class=\"out\(isError ? " warn" : "")\">\(HTMLPage.escape(NotebookPage.withoutEnd(clean)))</pre>\n"
        case .error(_, let text): return "<pre class=\"out error\">\(HTMLPage.escape(text))</pre>\n"
        case .display(let bundle), .result(let bundle, _): return try shown(bundle, label)
        }
    }

    private mutating func shown(_ bundle: MIMEBundle, _ label: String) throws -> String {
        if let figure = bundle.figure { return "<figure>\(try drawings.svg(figure, label: label))</figure>\n" }
        if let html = bundle.html { return "<div class=\"out\">\(html)</div>\n" }
        if let text = bundle.others["text/markdown"] { return "<div class=\"text\">\n\(Markdown.html(text, folder: folder, anchors: &anchors).html)</div>\n" }
        return "<pre class=\"out\">\(HTMLPage.escape(bundle.plain))</pre>\n"
    }

    private static func withoutEnd(_ text: String) -> String {
        var text = text
        while text.last?.isNewline == true { text.removeLast() }
        return text
    }

    private static let classes: [LuaToken.Kind: String] = [.keyword: "k", .string: "s", .number: "m", .comment: "c"]

    private static func coloured(_ source: String) -> String {
        let bytes = Array(source.utf8)
        func between(_ start: Int, _ end: Int) -> String { HTMLPage.escape(String(decoding: bytes[start..<end], as: UTF8.self)) }
        var text = "", done = 0
        for token in LuaTokens.of(source) {
            guard let name = classes[token.kind] else { continue }
            text += between(done, token.range.lowerBound) + "<i class=\"\(name)\">\(HTMLPage.escape(token.text))</i>"
            done = token.range.upperBound
        }
        return text + between(done, bytes.count)
    }

    private static let style = """
        .notebook{max-width:900px;padding-top:36px;padding-bottom:48px}
        .text p,.text li{max-width:76ch}
        .text h2{margin-top:2.4rem}
        .text pre,.code pre,pre.out{font:.86rem/1.5 ui-monospace,"DejaVu Sans Mono",monospace;overflow-x:auto;margin:0;padding:.7rem .9rem;border-radius:8px}
        .text pre,.code pre{background:var(--panel)}
        .text pre code{background:none;padding:0}
        .text blockquote{margin:.6rem 0;padding:.1rem 1rem;border-left:3px solid var(--line);color:var(--muted)}
        .text img{max-width:100%}
        .cell{margin:1rem 0 1.3rem}
        .code summary{cursor:pointer;color:var(--muted);font:.78rem ui-monospace,"DejaVu Sans Mono",monospace;list-style:none;padding:.1rem 0;width:max-content;max-width:100%}
        .code summary::-webkit-details-marker{display:none}
        .code summary::after{content:" show";visibility:hidden}
        .code:not([open]) summary::after,.code summary:hover::after{visibility:visible}
        .code[open] summary::after{content:" hide"}
        .code code{background:none;padding:0;font:inherit;overflow-wrap:normal}
        pre.out{padding:.45rem .9rem;white-space:pre}
        pre.warn{color:var(--muted)}
        pre.error{border-left:4px solid var(--accent);border-radius:0 8px 8px 0;background:var(--panel)}
        div.out{padding:.3rem .9rem;overflow-x:auto}
        .cell figure{padding:.3rem .9rem}
        .code i{font-style:normal}
        .code .k{color:var(--keyword)}.code .s{color:var(--string)}.code .m{color:var(--number)}.code .c{color:var(--muted);font-style:italic}
        :root{--keyword:#8a2c8f;--string:#1f6f3f;--number:#9a4a00}
        @media screen and (prefers-color-scheme:dark){:root{--keyword:#d89be0;--string:#8fd0a5;--number:#e0ac76}}
        @media (max-width:600px){header,main{padding-left:16px;padding-right:16px}h1{font-size:1.6rem}}
        @media print{.code summary{display:none}.code pre,pre.out{white-space:pre-wrap}.cell figure{break-inside:avoid}}
        """
}
