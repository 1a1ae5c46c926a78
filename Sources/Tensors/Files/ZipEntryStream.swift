import Base
import CZlib

/// The expanded bytes of a ZIP entry in order, straight into the reader's memory.
final class ZipEntryStream: ByteSource {
    private let source: FileSection
    private let entry: ZipArchive.Entry
    private var checksum: UInt = 0
    private var stream = z_stream()
    private let input: Buffer
    private var ended = false
    private(set) var remaining: Int

    init(_ source: FileSection, _ entry: ZipArchive.Entry) throws(FileError) {
        self.source = source
        self.entry = entry
        remaining = entry.size
        input = try Buffer(byteCount: 1 << 16)
        if entry.deflated {
            guard trellis_inflate_init_raw(&stream) == Z_OK else { throw FileError("", "zlib could not start") }
        }
    }

    deinit { if entry.deflated { inflateEnd(&stream) } }

    private func damaged(_ problem: String) -> FileError {
        FileError("", "the entry \"\(entry.name)\" is damaged: \(problem)", remedy: "write the file again")
    }

    func read(into destination: UnsafeMutableRawPointer, count: Int) throws(FileError) {
        guard count <= remaining else { throw damaged("truncated: expected \(count) more bytes, got \(remaining)") }
        // zlib counts in 32 bits.
        var done = 0
        while done < count {
            let part = min(count - done, 1 << 30)
            let target = (destination + done).assumingMemoryBound(to: UInt8.self)
            if entry.deflated { try expand(into: target, count: part) } else { try source.read(into: target, count: part) }
            checksum = crc32(checksum, target, UInt32(part))
            done += part
        }
        remaining -= count
    }

    private func expand(into target: UnsafeMutablePointer<UInt8>, count: Int) throws(FileError) {
        stream.next_out = target
        stream.avail_out = UInt32(count)
        while stream.avail_out > 0 {
            guard !ended else { throw damaged("its data expands to less than \(entry.size) bytes") }
            try feed()
            try step()
        }
    }

    /// Gives zlib the next stretch of input when it has none left.
    private func feed() throws(FileError) {
        guard stream.avail_in == 0, source.remaining > 0 else { return }
        let part = min(source.remaining, input.byteCount)
        try source.read(into: input.pointer, count: part)
        stream.next_in = input.pointer.assumingMemoryBound(to: UInt8.self)
        stream.avail_in = UInt32(part)
    }

    private func step() throws(FileError) {
        let code = inflate(&stream, Z_NO_FLUSH)
        switch code {
        case Z_OK: break
        case Z_STREAM_END: ended = true
        case Z_BUF_ERROR: throw damaged("its compressed data ends early")
        default: throw damaged(stream.msg.map { String(cString: $0) } ?? "zlib error \(code)")
        }
    }

    /// Checks that the data ended where it should and has the right sum.
    func finish() throws(FileError) {
        guard remaining == 0 else { throw damaged("\(remaining) bytes too many") }
        if entry.deflated {
            var spare: UInt8 = 0
            while !ended {
                let failure: FileError? = withUnsafeMutablePointer(to: &spare) { target in
                    stream.next_out = target
                    stream.avail_out = 1
                    do throws(FileError) {
                        try feed()
                        try step()
                    } catch { return error }
                    return stream.avail_out == 0 ? damaged("its data expands to more than \(entry.size) bytes") : nil
                }
                if let failure { throw failure }
            }
            guard stream.avail_in == 0, source.remaining == 0 else { throw damaged("unexplained bytes after its data") }
        }
        guard UInt32(truncatingIfNeeded: checksum) == entry.checksum else { throw damaged("its checksum is wrong") }
    }
}
