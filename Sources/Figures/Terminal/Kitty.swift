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
            result += "\u{1B}_G\(keys);\(base64(png[start..<end]))\u{1B}\\"
        }
        return result
    }

    static func base64(_ bytes: ArraySlice<UInt8>) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let count = min(3, bytes.endIndex - index)
            var word = 0
            for offset in 0..<3 { word = word << 8 | (offset < count ? Int(bytes[index + offset]) : 0) }
            for position in 0..<4 {
                result.append(position <= count ? alphabet[word >> (18 - 6 * position) & 63] : UInt8(ascii: "="))
            }
            index += count
        }
        return String(decoding: result, as: UTF8.self)
    }
}
