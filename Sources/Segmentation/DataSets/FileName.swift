/// Names of files as text. Linux takes any bytes for a name; text here is UTF-8, and would hold other bytes than the name has.
public enum FileName {
    public static let problem = "the name is not UTF-8"
    public static let remedy = "rename it; convmv -f latin1 -t utf8 -r --notest DIRECTORY renames all that an old archive unpacked so"

    /// Bytes as text that tells them apart: those that are no ASCII as \\xe9.
    public static func escaped(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in
            guard !(0x20..<0x7f).contains(byte) else { return String(Unicode.Scalar(byte)) }
            let digits = String(byte, radix: 16)
            return "\\x" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }
}
