import Base
import CImage
import Glibc
import Tensors

/// Calls of CImage as Swift functions: rows go to a closure, failures become errors.
enum Codec {
    /// Takes row `y`; what it throws ends the decoding and is thrown by it.
    typealias Row = (_ y: Int, _ samples: UnsafePointer<UInt8>) throws -> Void
    typealias Message = UnsafeMutablePointer<trellis_image_message>

    /// Decodes with `call`, which is given where rows and messages go.
    /// - Parameters:
    ///   - format: "PNG" or "JPEG", for messages.
    ///   - row: nil only looks for damage.
    /// - Throws: `FileError` without a path; `Interrupted`; what `row` throws.
    static func decode(
        _ format: String, _ row: Row?, _ call: (trellis_image_row?, UnsafeMutableRawPointer?, Message) -> trellis_image_result
    ) throws {
        guard let row else { return try check(format) { call(nil, nil, $0) } }
        let taker = Taker(row)
        try withExtendedLifetime(taker) {
            do {
                try check(format) { call(Taker.take, Unmanaged.passUnretained(taker).toOpaque(), $0) }
            } catch let error as Interrupted {
                throw taker.failure ?? error
            }
        }
    }

    /// Runs `call` and throws what it says.
    static func check(_ format: String, _ call: (Message) -> trellis_image_result) throws {
        var message = trellis_image_message()
        let result = withUnsafeMutablePointer(to: &message) { call($0) }
        func text() -> String {
            withUnsafeBytes(of: message.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        switch result {
        case TRELLIS_IMAGE_DONE: return
        case TRELLIS_IMAGE_STOPPED: throw Interrupted()
        case TRELLIS_IMAGE_NO_MEMORY: throw FileError("", "not enough memory for this \(format)", remedy: "use a smaller image, or a machine with more memory")
        case TRELLIS_IMAGE_UNSUPPORTED:
            throw FileError(
                "", "a kind of \(format) that is not read: \(text())",
                remedy: "the file may be whole; save it as RGB or grey of 8 bits a channel")
        default:
            throw FileError("", "not a usable \(format): \(text())", remedy: "the file is damaged or cut short: fetch or write it again")
        }
    }

    /// Encodes with `call`, which is given where rows come from, where the bytes and where messages go.
    /// - Parameters:
    ///   - stride: bytes of a row.
    ///   - row: writes row `y`; what it throws ends the encoding and is thrown by it.
    static func encode(
        _ format: String, stride: Int, _ row: @escaping (_ y: Int, _ samples: UnsafeMutablePointer<UInt8>) throws -> Void,
        _ call: (trellis_image_source, UnsafeMutableRawPointer, inout UnsafeMutablePointer<UInt8>?, inout Int, Message) -> trellis_image_result
    ) throws -> [UInt8] {
        let giver = Giver(row, stride: stride)
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        try withExtendedLifetime(giver) {
            do {
                try check(format) { call(Giver.give, Unmanaged.passUnretained(giver).toOpaque(), &bytes, &count, $0) }
            } catch let error as Interrupted {
                throw giver.failure ?? error
            }
        }
        defer { free(bytes) }
        try Memory.check(count, toHold: "a \(format) file")
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }

    /// What the C side holds on to while it decodes.
    private final class Taker {
        let row: Row
        var failure: (any Error)?

        init(_ row: @escaping Row) { self.row = row }

        static let take: trellis_image_row = { context, y, samples in
            guard let context, let samples else { return false }
            let taker = Unmanaged<Taker>.fromOpaque(context).takeUnretainedValue()
            do {
                try taker.row(Int(y), samples)
                return true
            } catch {
                taker.failure = error
                return false
            }
        }
    }

    /// The same while it encodes.
    private final class Giver {
        let row: (Int, UnsafeMutablePointer<UInt8>) throws -> Void
        let samples: UnsafeMutablePointer<UInt8>
        var failure: (any Error)?

        init(_ row: @escaping (Int, UnsafeMutablePointer<UInt8>) throws -> Void, stride: Int) {
            self.row = row
            samples = .allocate(capacity: stride)
        }

        deinit { samples.deallocate() }

        static let give: trellis_image_source = { context, y in
            guard let context else { return nil }
            let giver = Unmanaged<Giver>.fromOpaque(context).takeUnretainedValue()
            do {
                try giver.row(Int(y), giver.samples)
                return UnsafePointer(giver.samples)
            } catch {
                giver.failure = error
                return nil
            }
        }
    }
}
