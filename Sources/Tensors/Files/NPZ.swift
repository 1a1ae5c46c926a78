import Base
import CZlib

/// NumPy's .npz format: a ZIP archive of `NAME.npy` entries (`ZipArchive`).
public enum NPZ {
    /// Most bytes that a file's arrays may have together, unless the caller says otherwise: 64 GiB.
    public static let defaultLimit = 64 << 30

    /// All arrays in the order of the file's directory; names are without `.npy`.
    /// - Parameter limit: most bytes after expansion; a file that claims more is refused before anything is read.
    /// - Throws: `FileError` naming the file, the entry and what is wrong.
    public static func read(_ path: String, limit: Int = defaultLimit) throws(FileError) -> [NamedArray] {
        do throws(FileError) {
            let archive = try ZipArchive(try InputFile(path), limit: limit)
            var arrays: [NamedArray] = []
            for entry in archive.entries {
                guard entry.name.hasSuffix(".npy") else {
                    throw FileError("", "expected entries named *.npy, got \"\(entry.name)\"", remedy: "write the file with numpy.savez")
                }
                let stream = try archive.open(entry)
                do throws(FileError) {
                    let array = try NPY.read(stream, name: String(entry.name.dropLast(4)))
                    try stream.finish()
                    arrays.append(array)
                } catch {
                    throw FileError("", "entry \"\(entry.name)\": \(error.problem)", remedy: error.remedy)
                }
            }
            return arrays
        } catch {
            throw error.at(path)
        }
    }

    /// Writes `arrays` stored (not compressed); whole or not at all (`AtomicFile`). The same arrays give the same bytes.
    public static func write(_ arrays: [NamedArray], to path: String) throws(FileError) {
        var names = Set<String>()
        for array in arrays {
            let length = array.name.utf8.count
            guard length > 0, length <= 65_000, !array.name.utf8.contains(0), names.insert(array.name).inserted else {
                throw FileError(path, "cannot save an array named \"\(array.name)\"", remedy: "give each array a name of its own")
            }
        }
        try AtomicFile.write(path) { file throws(FileError) in
            var directory: [UInt8] = []
            for array in arrays { directory += try writeEntry(array, file) }
            try writeEnd(directory, count: arrays.count, file)
        }
    }

    private static let utf8Flag: UInt16 = 0x0800
    /// 1 January 1980, the earliest date: no clock in the file, so that equal arrays give equal bytes.
    private static let date: UInt16 = 0x0021

    /// Local header and data; returns the entry's record for the directory.
    ///
    /// Sizes go into the ZIP64 field only where 32 bits are too few, as most readers expect.
    private static func writeEntry(_ array: NamedArray, _ file: AtomicFile) throws(FileError) -> [UInt8] {
        let start = file.written
        let header = NPY.header(of: array)
        let size = header.count + array.buffer.byteCount
        let sum = checksum(header, array.buffer)
        let name = Array((array.name + ".npy").utf8)
        let long = size >= 0xffff_ffff
        var common: [UInt8] = []
        common.append(little: UInt16(long ? 45 : 20))
        common.append(little: utf8Flag)
        for field: UInt16 in [0, 0, date] { common.append(little: field) }
        common.append(little: sum)
        for _ in 0..<2 { common.append(little: long ? UInt32.max : UInt32(size)) }
        common.append(little: UInt16(name.count))

        var local: [UInt8] = []
        local.append(little: UInt32(0x0403_4b50))
        local += common
        let localExtra = long ? extra([size, size]) : []
        local.append(little: UInt16(localExtra.count))
        try file.write(local + name + localExtra + header)
        try file.write(array.buffer.pointer, count: array.buffer.byteCount)

        let far = start >= 0xffff_ffff
        let directoryExtra = long || far ? extra((long ? [size, size] : []) + (far ? [start] : [])) : []
        var record: [UInt8] = []
        record.append(little: UInt32(0x0201_4b50))
        record.append(little: UInt16(45))
        record += common
        record.append(little: UInt16(directoryExtra.count))
        for field: UInt16 in [0, 0, 0] { record.append(little: field) }
        record.append(little: UInt32(0))
        record.append(little: far ? UInt32.max : UInt32(start))
        return record + name + directoryExtra
    }

    private static func extra(_ values: [Int]) -> [UInt8] {
        var field: [UInt8] = []
        field.append(little: UInt16(1))
        field.append(little: UInt16(values.count * 8))
        for value in values { field.append(little: UInt64(value)) }
        return field
    }

    private static func writeEnd(_ directory: [UInt8], count: Int, _ file: AtomicFile) throws(FileError) {
        let start = file.written
        try file.write(directory)
        var out: [UInt8] = []
        if count >= 0xffff || start >= 0xffff_ffff || directory.count >= 0xffff_ffff {
            out.append(little: UInt32(0x0606_4b50))
            out.append(little: UInt64(44))
            for field: UInt16 in [45, 45] { out.append(little: field) }
            for field: UInt32 in [0, 0] { out.append(little: field) }
            for field in [count, count, directory.count, start] { out.append(little: UInt64(field)) }
            out.append(little: UInt32(0x0706_4b50))
            out.append(little: UInt32(0))
            out.append(little: UInt64(start + directory.count))
            out.append(little: UInt32(1))
        }
        out.append(little: UInt32(0x0605_4b50))
        for field: UInt16 in [0, 0] { out.append(little: field) }
        for _ in 0..<2 { out.append(little: UInt16(min(count, 0xffff))) }
        out.append(little: UInt32(min(directory.count, 0xffff_ffff)))
        out.append(little: UInt32(min(start, 0xffff_ffff)))
        out.append(little: UInt16(0))
        try file.write(out)
    }

    private static func checksum(_ header: [UInt8], _ buffer: Buffer) -> UInt32 {
        var sum = header.withUnsafeBufferPointer { crc32(0, $0.baseAddress, UInt32($0.count)) }
        let bytes = buffer.pointer.assumingMemoryBound(to: UInt8.self)
        var done = 0
        while done < buffer.byteCount {
            let part = min(buffer.byteCount - done, 1 << 30)
            sum = crc32(sum, bytes + done, UInt32(part))
            done += part
        }
        return UInt32(truncatingIfNeeded: sum)
    }
}
