/// How a camera was held, as it notes it in a file (EXIF). Pixels are read as they are stored, and the note is not applied: that is what PIL
/// does, and with it torchvision's data sets; label images carry no such note, and would no longer lie over a turned image.
struct Orientation: Equatable, Sendable {
    /// 2 to 8; 1, which is stored as shown, is none.
    let value: Int

    /// Whether showing it exchanges height and width.
    var isOnItsSide: Bool { value >= 5 }

    /// "EXIF orientation 6 (turn by 90° to the right)".
    var description: String {
        let ways = [
            "mirror left and right", "turn by 180°", "mirror top and bottom", "mirror along the diagonal", "turn by 90° to the right",
            "mirror along the other diagonal", "turn by 90° to the left",
        ]
        return "EXIF orientation \(value) (\(ways[value - 2]))"
    }

    static let remedy = "turn the pixels of the file itself, e.g. with ImageMagick's mogrify -auto-orient"

    private init?(_ value: Int?) {
        guard let value, (2...8).contains(value) else { return nil }
        self.value = value
    }

    /// What the beginning of a PNG or JPEG file notes, if it notes anything.
    init?(_ bytes: [UInt8]) {
        if bytes.starts(with: PNG.signature) {
            self.init(Orientation.ofPNG(bytes))
        } else {
            self.init(bytes.starts(with: JPEG.signature) ? Orientation.ofJPEG(bytes) : nil)
        }
    }

    /// From the first application segment that holds EXIF.
    private static func ofJPEG(_ bytes: [UInt8]) -> Int? {
        var at = 2
        while at + 4 <= bytes.count, bytes[at] == 0xff {
            let (marker, length) = (bytes[at + 1], Int(bytes[at + 2]) << 8 | Int(bytes[at + 3]))
            // Pixels begin, or there is a marker without a length: neither stands before EXIF.
            guard marker != 0xda, !(0xd0...0xd9).contains(marker), length >= 2 else { return nil }
            let body = at + 4
            if marker == 0xe1, bytes[min(body, bytes.count)...].starts(with: Array("Exif\0\0".utf8)) { return ofTIFF(bytes, from: body + 6) }
            at += 2 + length
        }
        return nil
    }

    /// From the chunk eXIf.
    private static func ofPNG(_ bytes: [UInt8]) -> Int? {
        var at = PNG.signature.count
        while at + 8 <= bytes.count {
            let length = bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
            let type = bytes[at + 4..<at + 8]
            if type.elementsEqual("eXIf".utf8) { return ofTIFF(bytes, from: at + 8) }
            if type.elementsEqual("IDAT".utf8) { return nil }
            at += 12 + length
        }
        return nil
    }

    /// Tag 0x0112 of the first directory of the TIFF structure that begins at `start`; nil when it is not there or lies behind the end.
    private static func ofTIFF(_ bytes: [UInt8], from start: Int) -> Int? {
        guard start + 8 <= bytes.count else { return nil }
        let isLittle = bytes[start] == UInt8(ascii: "I")
        func number(_ at: Int, _ count: Int) -> Int? {
            guard at >= start, at + count <= bytes.count else { return nil }
            let part = bytes[at..<at + count]
            return (isLittle ? Array(part.reversed()) : Array(part)).reduce(0) { $0 << 8 | Int($1) }
        }
        guard number(start + 2, 2) == 42, let offset = number(start + 4, 4), let entries = number(start + offset, 2) else { return nil }
        for entry in 0..<entries {
            let at = start + offset + 2 + 12 * entry
            guard let tag = number(at, 2) else { return nil }
            if tag == 0x0112 { return number(at + 2, 2) == 3 ? number(at + 8, 2) : nil }
        }
        return nil
    }
}
