/// What can go wrong between data and a picture.
public enum FigureError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The data do not fit the figure; the text says what was expected and what was got.
    case invalid(String)
    /// `save` was given a name whose extension is no known format.
    case unknownFormat(path: String)
    /// Cairo refused; the text is Cairo's status message.
    case drawing(String)
    /// By Ctrl-C.
    case interrupted

    public var description: String {
        switch self {
        case .invalid(let text):
            return text
        case .unknownFormat(let path):
            return "cannot tell the picture format of '\(path)': expected a name that ends in .svg, .png, .pdf or .txt"
        case .drawing(let text):
            return "cannot draw: \(text)"
        case .interrupted:
            return "interrupted"
        }
    }
}
