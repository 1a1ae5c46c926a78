/// Bytes as text (RFC 4648), for escape sequences and data URIs.
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Four characters for every three bytes, filled up with `=`.
    public static func text(_ bytes: ArraySlice<UInt8>) -> String {
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
