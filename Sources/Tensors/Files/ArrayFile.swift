import Base

/// Array files by the ending of their name: .npy, .npz or .safetensors.
public enum ArrayFile {
    public enum Format: String, CaseIterable, Sendable {
        case npy, npz, safetensors
    }

    /// The format that the ending of `path` names, upper case allowed.
    /// - Throws: `FileError` listing the endings there are.
    public static func format(_ path: String) throws(FileError) -> Format {
        let name = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[path.utf8.index(after: $0)...] } ?? path[...]
        if let dot = name.lastIndex(of: "."), let format = Format(rawValue: name[name.index(after: dot)...].lowercased()) { return format }
        if isPyTorch(path) { throw foreign(path) }
        throw FileError(path, "expected a name that ends in .npy, .npz or .safetensors", remedy: "rename the file")
    }

    /// Whether a name is that of a file of PyTorch.
    public static func isPyTorch(_ path: String) -> Bool { [".pth", ".pt", ".pth.tar", ".ckpt", ".pkl", ".t7"].contains { path.lowercased().hasSuffix($0) } }

    /// The error for such a file: it holds a Python program that makes the tensors, which only Python runs.
    public static func foreign(_ path: String) -> FileError {
        let stem = path.split(separator: "/").last.map { $0.prefix { $0 != "." } } ?? "weights"
        return FileError(
            path, "expected a name that ends in .npy, .npz or .safetensors, got a file of PyTorch, which only Python can read", remedy: "convert it there once: "
                + "import torch, safetensors.torch as s; w = torch.load('\(path)', map_location='cpu'); w = w.get('state_dict', w); "
                + "s.save_file({k: v.contiguous() for k, v in w.items()}, '\(stem).safetensors')")
    }

    /// The arrays of any of the formats, and the metadata where the format has it. An .npy array has the name "".
    /// - Parameter expectsChecksums: of a .safetensors file, see `SafeTensors.read`.
    public static func read(
        _ path: String, expectsChecksums: Bool = false
    ) throws(FileError) -> (arrays: [NamedArray], metadata: [String: String]) {
        switch try format(path) {
        case .npy: ([try NPY.read(path)], [:])
        case .npz: (try NPZ.read(path), [:])
        case .safetensors: try SafeTensors.read(path, expectsChecksums: expectsChecksums)
        }
    }

    /// Writes `arrays` in the format that the name says; whole or not at all.
    /// - Parameter checksums: of a .safetensors file, see `SafeTensors.write`.
    /// - Throws: also when an .npy file is to hold other than one array, or a format without metadata is given some.
    public static func write(
        _ arrays: [NamedArray], metadata: [String: String] = [:], checksums: Bool = false, to path: String
    ) throws(FileError) {
        let format = try format(path)
        guard format == .safetensors || metadata.isEmpty else {
            throw FileError(path, "a .\(format.rawValue) file cannot hold metadata", remedy: "use a name that ends in .safetensors")
        }
        switch format {
        case .npy:
            guard arrays.count == 1 else {
                throw FileError(path, "expected one array for an .npy file, got \(arrays.count)", remedy: "use .npz or .safetensors")
            }
            try NPY.write(arrays[0], to: path)
        case .npz: try NPZ.write(arrays, to: path)
        case .safetensors: try SafeTensors.write(arrays, metadata: metadata, checksums: checksums, to: path)
        }
    }
}

/// Whole small files: text, JSON, encoded images.
public enum Files {
    /// The bytes of a regular file.
    /// - Throws: also when it is larger than `limit`, before anything is allocated.
    public static func contents(_ path: String, limit: Int = 1 << 30) throws(FileError) -> [UInt8] {
        try InputFile.contents(path, limit: limit)
    }

    /// The first `count` bytes, or all when there are fewer.
    public static func beginning(_ path: String, count: Int) throws(FileError) -> [UInt8] {
        let file = try InputFile(path)
        return try file.bytes(at: 0, count: min(count, file.size))
    }

    /// The JSON document of a file.
    public static func json(_ path: String, limit: Int = 1 << 28) throws(FileError) -> JSONValue {
        let text = try contents(path, limit: limit)
        do throws(FileError) { return try JSONValue.parse(text) } catch { throw error.at(path) }
    }
}
