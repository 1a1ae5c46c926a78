import Base
import Figures

/// A self-contained HTML page: no scripts, nothing fetched, light and dark, fit to print.
struct HTMLPage {
    let title: String
    /// What stands under the title.
    let subtitle: String
    private var sections: [(id: String, heading: String, body: String)] = []
    var drawings = PageDrawings()

    init(title: String, subtitle: String) {
        self.title = title
        self.subtitle = subtitle
    }

    /// Adds a section; `body` is HTML.
    mutating func add(_ id: String, _ heading: String, _ body: String) { sections.append((id, heading, body)) }

    /// A figure as a picture with a caption (plain text).
    mutating func figure(_ figure: some Figure, label: String, caption: String = "") throws -> String {
        let svg = try drawings.svg(figure, label: label)
        return "<figure>\(svg)" + (caption.isEmpty ? "" : "<figcaption>\(HTMLPage.escape(caption))</figcaption>") + "</figure>\n"
    }

    /// Text as it may stand between tags and in quoted attributes.
    static func escape(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            // Control characters are no part of HTML.
            case "\u{0}"..."\u{8}", "\u{B}", "\u{C}", "\u{E}"..."\u{1F}", "\u{7F}"..."\u{9F}": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func paragraph(_ text: String) -> String { "<p>\(escape(text))</p>\n" }

    /// A table of plain texts; the first column to the left, the others to the right unless `left` says otherwise.
    static func table(_ head: [String], _ rows: [[String]], left: Set<Int> = [0], last: Bool = false) -> String {
        func row(_ cells: [String], _ tag: String) -> String {
            cells.enumerated().map { "<\(tag)\(left.contains($0) ? "" : " class=\"n\"")>\(escape($1))</\(tag)>" }.joined()
        }
        var text = "<div class=\"scroll\"><table>"
        if !head.isEmpty { text += "<thead><tr>\(row(head, "th"))</tr></thead>" }
        text += "<tbody>"
        for (index, cells) in rows.enumerated() {
            text += "<tr\(last && index == rows.count - 1 ? " class=\"sum\"" : "")>\(row(cells, "td"))</tr>"
        }
        return text + "</tbody></table></div>\n"
    }

    /// The whole document. The colours are those of the figures' themes.
    func document(language: String = "en") -> String {
        let links = sections.map { "<a href=\"#\($0.id)\">\(HTMLPage.escape($0.heading))</a>" }.joined()
        let body = sections.map { "<section id=\"\($0.id)\"><h2>\(HTMLPage.escape($0.heading))</h2>\n\($0.body)</section>\n" }.joined()
        return HTMLPage.document(
            title: title, drawings: drawings, language: language,
            body: "<header><h1>\(HTMLPage.escape(title))</h1>\(subtitle)<nav>\(links)</nav></header>\n<main>\n\(body)</main>\n")
    }

    /// A document of which the body is given.
    /// - Parameters:
    ///   - drawings: those that are in the body.
    ///   - style: CSS beside what all pages have.
    static func document(title: String, drawings: PageDrawings, language: String = "en", style: String = "", body: String) -> String {
        """
        <!DOCTYPE html>
        <html lang="\(language)">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>\(escape(title))</title>
        <style>
        :root{\(colours(.light));\(drawings.variables(dark: false))}
        @media screen and (prefers-color-scheme:dark){:root{\(colours(.dark));\(drawings.variables(dark: true))}}
        \(HTMLPage.style)
        \(style)
        </style>
        </head>
        <body>
        \(body)</body>
        </html>

        """
    }

    private static func colours(_ theme: Theme) -> String {
        func hex(_ colour: Figures.Colour) -> String {
            let (red, green, blue) = colour.bytes
            return "#" + [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        let dark = theme.background.luminance < 0.3
        return "color-scheme:\(dark ? "dark" : "light");--paper:\(hex(theme.background));--ink:\(hex(theme.ink));--muted:\(hex(theme.muted));"
            + "--line:\(hex(theme.grid));--accent:\(hex(theme.accent));"
            + "--panel:\(hex(theme.grid.mixed(with: theme.background, 0.7)))"
    }

    private static let style = """
        *{box-sizing:border-box}
        body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif}
        header,main{max-width:1120px;margin:0 auto;padding:0 28px}
        header{padding-top:40px}
        h1{font-size:2.1rem;line-height:1.15;margin:0 0 .3rem;letter-spacing:-.015em}
        h2{font-size:1.35rem;margin:0 0 .8rem;letter-spacing:-.01em}
        h3{font-size:1rem;margin:1.8rem 0 .5rem}
        p{max-width:72ch;margin:.5rem 0}
        .lead{color:var(--muted);font-size:1.05rem}
        .state{display:inline-block;border-radius:99px;padding:.1rem .7rem;font-size:.85rem;font-weight:600;border:1px solid var(--line);color:var(--muted)}
        .state.open{background:var(--accent);border-color:var(--accent);color:#fff}
        nav{display:flex;flex-wrap:wrap;gap:.2rem 1.3rem;margin:1.4rem 0 0;padding:.6rem 0;border-top:1px solid var(--line);border-bottom:1px solid var(--line);font-size:.92rem}
        a{color:inherit;text-decoration-color:var(--accent);text-underline-offset:.2em}
        section{padding:2.2rem 0 .6rem;border-bottom:1px solid var(--line)}
        section:last-child{border:0;padding-bottom:3rem}
        .cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(158px,1fr));gap:12px;margin:.4rem 0 1.2rem}
        .card{background:var(--panel);border-radius:10px;padding:.75rem .95rem}
        .card b{display:block;font-size:1.5rem;line-height:1.25;font-variant-numeric:tabular-nums;letter-spacing:-.01em}
        .card span{color:var(--muted);font-size:.85rem}
        .warning{border-left:4px solid var(--accent);background:var(--panel);padding:.6rem 1rem;border-radius:0 8px 8px 0;max-width:80ch}
        .pair,.many{display:grid;gap:18px 24px;align-items:start}
        .pair{grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr))}
        .many{grid-template-columns:repeat(auto-fit,minmax(min(330px,100%),1fr))}
        figure{margin:0;min-width:0}
        figcaption{color:var(--muted);font-size:.88rem;margin:.1rem 0 .6rem;max-width:64ch}
        svg.figure{display:block;max-width:100%;height:auto;font-family:"DejaVu Sans",Verdana,Geneva,sans-serif}
        svg.figure text{white-space:pre}
        .scroll{overflow-x:auto}
        table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums;margin:.3rem 0 1rem}
        th,td{text-align:left;padding:.28rem 1.1rem .28rem 0;border-bottom:1px solid var(--line);vertical-align:top}
        th{color:var(--muted);font-weight:600}
        .n{text-align:right}
        tr.sum td{font-weight:600;border-bottom:0}
        .settings{columns:3 270px;column-gap:34px;font-size:.92rem;margin:0}
        .settings div{display:flex;justify-content:space-between;gap:1rem;border-bottom:1px solid var(--line);padding:.22rem 0;break-inside:avoid}
        .settings dt{color:var(--muted)}
        .settings dd{margin:0;text-align:right;overflow-wrap:anywhere}
        .strip{display:grid;grid-auto-flow:column;grid-auto-columns:minmax(96px,1fr);gap:8px;margin:0 0 10px}
        .strip img{display:block;width:100%;height:auto;border-radius:4px;background:#000}
        .strip img.labels{image-rendering:pixelated}
        .strip figcaption{text-align:center;font-size:.8rem;margin:.15rem 0 0}
        .key{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;font-size:.88rem;margin:.4rem 0 1rem}
        .key i{display:inline-block;width:.95em;height:.95em;border-radius:3px;margin-right:.4em;vertical-align:-.12em;border:1px solid #8888}
        code{font:.9em ui-monospace,"DejaVu Sans Mono",monospace;background:var(--panel);border-radius:4px;padding:.08em .35em;overflow-wrap:anywhere}
        @media print{body{font-size:10.5pt}header,main{max-width:none;padding:0}nav{display:none}section{padding-top:1.2rem}
        figure,table,.cards,.strip{break-inside:avoid}h2,h3{break-after:avoid}.card{border:1px solid var(--line)}
        *{-webkit-print-color-adjust:exact;print-color-adjust:exact}@page{margin:15mm}}
        """
}
