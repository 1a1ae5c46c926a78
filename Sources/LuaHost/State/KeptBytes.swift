/// Bytes from outside (the command line, the environment, the terminal) in a `String` and back, unchanged whatever they are.
///
/// Lua's strings are bytes, Swift's are Unicode, and decoding puts U+FFFD where bytes are not UTF-8. Here such a byte b becomes the private
/// character U+10FE00 + b. What is such a character already counts as four bytes that are not UTF-8, so that the way back is exact.
extension String {
    private static let base: UInt32 = 0x10_FE00

    private static func stands(_ scalar: Unicode.Scalar) -> UInt8? {
        (base + 0x80...base + 0xff).contains(scalar.value) ? UInt8(scalar.value - base) : nil
    }

    /// Text whose `keptBytes` are these.
    init(keeping bytes: some Collection<UInt8>) {
        if let text = String(validating: bytes, as: UTF8.self), !text.standsForBytes {
            self = text
            return
        }
        var text = String.UnicodeScalarView()
        var rest = Array(bytes)[...]
        while let first = rest.first {
            let count = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
            if let scalar = String(validating: rest.prefix(count), as: UTF8.self)?.unicodeScalars.first, String.stands(scalar) == nil {
                text.append(scalar)
                rest = rest.dropFirst(count)
            } else {
                Unicode.Scalar(String.base + UInt32(first)).map { text.append($0) }
                rest = rest.dropFirst()
            }
        }
        self.init(text)
    }

    /// As `init(keeping:)`, of a C string.
    init(keeping text: UnsafePointer<CChar>) {
        var bytes: [UInt8] = []
        var next = text
        while next.pointee != 0 {
            bytes.append(UInt8(bitPattern: next.pointee))
            next += 1
        }
        self.init(keeping: bytes)
    }

    /// Whether there is a character in it that stands for a byte: bytes F4 8F and BA or BB, which no other character begins with.
    var standsForBytes: Bool {
        var last: (UInt8, UInt8) = (0, 0)
        for byte in utf8 {
            if last == (0xf4, 0x8f), byte & 0xfe == 0xba { return true }
            last = (last.1, byte)
        }
        return false
    }

    /// The bytes that the text was made from.
    var keptBytes: [UInt8] {
        guard standsForBytes else { return Array(utf8) }
        return unicodeScalars.flatMap { scalar in String.stands(scalar).map { [$0] } ?? Array(String(scalar).utf8) }
    }
}
