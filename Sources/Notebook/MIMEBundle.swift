import Figures

/// One thing to show in the forms that a reader can choose from: characters, HTML, a picture.
public struct MIMEBundle: Sendable {
    /// In characters: the form that everything has.
    public var plain: String
    /// A fragment of HTML, without scripts and styles of its own.
    public var html: String?
    /// A picture. SVG and PNG are made where they are wanted: a page draws it in the colours of its theme.
    public var figure: (any Figure)?
    /// Further forms by MIME type ("text/markdown"), as text.
    public var others: [String: String]

    public init(plain: String, html: String? = nil, figure: (any Figure)? = nil, others: [String: String] = [:]) {
        self.plain = plain
        self.html = html
        self.figure = figure
        self.others = others
    }

    /// Whether there is more than characters.
    public var isRich: Bool { html != nil || figure != nil || !others.isEmpty }
}
