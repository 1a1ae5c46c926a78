/// The kitty terminal graphics protocol (https://sw.kovidgoyal.net/kitty/graphics-protocol/).
enum Kitty {
    /// Escape sequences that transmit a PNG file and show it at the cursor, `columns` wide.
    static func encode(png: [UInt8], columns: Int) -> String {
        // At most 4096 bytes of base64 an escape sequence, in whole groups of three bytes; only the first has the keys.
        let chunk = 3072
        var result = ""
        for start in stride(from: 0, to: max(1, png.count), by: chunk) {
            let end = min(png.count, start + chunk)
            let more = end < png.count ? 1 : 0
            // q=2: the terminal must not answer, the answer would be read as typed.
            let keys = start == 0 ? "a=T,f=100,q=2,c=\(columns),m=\(more)" : "m=\(more)"
            result += "\u{1B}_G\(keys);\(Base64.text(png[start..<end]))\u{1B}\\"
        }
        return result
    }
}
