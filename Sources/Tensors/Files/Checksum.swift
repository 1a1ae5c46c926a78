import CZlib

/// CRC-32, as zip files have it.
public enum Checksum {
    public static func crc32(_ bytes: UnsafeRawPointer, count: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: crc32_z(0, bytes.assumingMemoryBound(to: UInt8.self), count))
    }

    public static func crc32(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { raw in raw.baseAddress.map { crc32($0, count: raw.count) } ?? 0 }
    }
}
