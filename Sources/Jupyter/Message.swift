import Base
import CZmq
import Glibc
import Tensors

/// A message of Jupyter's protocol 5.5.
/// https://jupyter-client.readthedocs.io/en/stable/messaging.html
public struct Message: Sendable {
    /// Who it came from or goes to, as a ROUTER socket names peers; of a broadcast: its topic.
    public var identities: [[UInt8]]
    public var header: JSONValue
    public var parent: JSONValue
    public var metadata: JSONValue
    public var content: JSONValue

    static let empty = JSONValue.object([])
    static let delimiter = Array("<IDS|MSG>".utf8)
    public static let version = "5.5"

    public var type: String { header["msg_type"].text ?? "" }
    public var id: String { header["msg_id"].text ?? "" }
    /// The subshell that a request is for; nil: the shell itself. https://jupyter.org/enhancement-proposals/91-kernel-subshells
    public var subshell: String? { header["subshell_id"].text }

    /// When it was sent, by the sender's clock, in seconds since 1970; nil when the date cannot be read.
    public var date: Double? { header["date"].text.flatMap(ISODate.seconds) }

    /// Reads a message's parts; nil for one that is none, or that the key did not sign.
    init?(parts: [[UInt8]], key: [UInt8]) {
        guard let split = parts.firstIndex(of: Message.delimiter), parts.count >= split + 6 else { return nil }
        let signed = Array(parts[(split + 2)..<(split + 6)])
        guard Signature.matches(parts[split + 1], signed, key: key) else { return nil }
        let documents = signed.map { try? JSONValue.document($0) }
        guard let header = documents[0], let parent = documents[1], let metadata = documents[2], let content = documents[3], case .object = header else { return nil }
        identities = Array(parts[..<split])
        (self.header, self.parent, self.metadata, self.content) = (header, parent, metadata, content)
    }

    init(identities: [[UInt8]], header: JSONValue, parent: JSONValue, metadata: JSONValue = Message.empty, content: JSONValue) {
        (self.identities, self.header, self.parent, self.metadata, self.content) = (identities, header, parent, metadata, content)
    }

    /// The parts as they go over the wire.
    func parts(key: [UInt8]) -> [[UInt8]] {
        let signed = [header, parent, metadata, content].map { Array($0.text().utf8) }
        return identities + [Message.delimiter, Signature.of(signed, key: key)] + signed
    }
}

extension JSONValue? {
    /// The text, if it is one.
    public var text: String? { if case .string(let text)? = self { text } else { nil } }
    public var flag: Bool? { if case .bool(let flag)? = self { flag } else { nil } }
    public var number: Int? { if case .integer(let number)? = self { number } else { nil } }
}

/// HMAC-SHA256 in hexadecimal digits.
enum Signature {
    static func of(_ texts: [[UInt8]], key: [UInt8]) -> [UInt8] {
        guard !key.isEmpty else { return [] }
        var result = [UInt8](repeating: 0, count: 32)
        let whole = texts.flatMap { $0 }
        key.withUnsafeBufferPointer { key in
            whole.withUnsafeBufferPointer { bytes in
                var start = bytes.baseAddress, count = bytes.count
                czmq_sign(key.baseAddress, key.count, &start, &count, 1, &result)
            }
        }
        let digits = Array("0123456789abcdef".utf8)
        return result.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }

    static func matches(_ signature: [UInt8], _ texts: [[UInt8]], key: [UInt8]) -> Bool {
        let expected = of(texts, key: key)
        return key.isEmpty || (signature.count == expected.count && czmq_equal(signature, expected, expected.count))
    }
}

/// Dates of ISO 8601, as in headers.
enum ISODate {
    /// Now, in UTC with microseconds.
    static var now: String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var seconds = time.tv_sec, parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ value: some BinaryInteger, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return "\(digits(Int(parts.tm_year) + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))T"
            + "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2)).\(digits(time.tv_nsec / 1000, 6))Z"
    }

    /// "2026-11-28T12:30:00.5+01:00"; without a zone it is UTC.
    static func seconds(_ text: String) -> Double? {
        let bytes = Array(text.utf8)
        func number(_ start: Int, _ count: Int) -> Int32? {
            start + count <= bytes.count ? Int32(String(decoding: bytes[start..<(start + count)], as: UTF8.self)) : nil
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2), let minute = number(14, 2),
            let second = number(17, 2)
        else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec) = (year - 1900, month - 1, day, hour, minute, second)
        var result = Double(timegm(&parts)), i = 19
        if i < bytes.count, bytes[i] == UInt8(ascii: ".") {
            var unit = 0.1
            i += 1
            while i < bytes.count, (48...57).contains(bytes[i]) {
                result += Double(bytes[i] - 48) * unit
                unit /= 10
                i += 1
            }
        }
        guard i < bytes.count, bytes[i] == UInt8(ascii: "+") || bytes[i] == UInt8(ascii: "-"), let hours = number(i + 1, 2) else { return result }
        let minutes = number(i + 4, 2) ?? number(i + 3, 2) ?? 0
        return result - (bytes[i] == UInt8(ascii: "+") ? 1 : -1) * Double(hours * 3600 + minutes * 60)
    }

    /// Seconds since 1970.
    static var seconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}

/// A universally unique identifier (RFC 9562, version 4), without hyphens.
enum Identifier {
    static func make() -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
