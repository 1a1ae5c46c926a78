import Base
import Tensors

/// A text file that lists samples: on each line a name, or the paths of an image and of its labels as some versions of VOC's augmented list
/// have them, whose common name counts. Empty lines, spaces, line ends of other systems and a byte order mark are no part of a name.
struct SampleList {
    let names: [String]

    /// Largest list that is read, bytes.
    private static let limit = 1 << 26

    /// - Parameter layout: what was expected to be there, for the error of a missing file.
    /// - Throws: `FileError`; `DataError` for an empty list, a line of another form or a name that occurs twice.
    init(_ path: String, layout: String) throws {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try Files.contents(path, limit: SampleList.limit)
        } catch {
            throw FileError(error.path, error.problem, remedy: layout)
        }
        var names: [String] = []
        var seen: [String: Int] = [:]
        for (index, line) in bytes.split(separator: 10, omittingEmptySubsequences: false).enumerated() {
            let number = index + 1
            guard let content = String(validating: line, as: UTF8.self) else {
                throw DataError("\(path), line \(number): '\(FileName.escaped(line))' is not UTF-8", remedy: "save the list as UTF-8")
            }
            let text = content.replacing("\u{feff}", with: "").replacing("\r", with: "")
            let words = text.split { $0 == " " || $0 == "\t" }.map(SampleList.name)
            guard let name = words.first else { continue }
            guard words.count == 1 || words.count == 2 && words[1] == name else {
                throw DataError("\(path), line \(number): expected the name of an image, or the paths of image and labels, got '\(text)'")
            }
            if let first = seen.updateValue(number, forKey: name) {
                throw DataError("\(path), line \(number): \(name) is in line \(first) already", remedy: "list each image once")
            }
            names.append(name)
        }
        guard !names.isEmpty else { throw DataError("\(path) lists no images", remedy: layout) }
        self.names = names
    }

    /// The last part of a path, without ending.
    private static func name(_ word: Substring) -> String {
        let last = word.split(separator: "/").last ?? word
        for ending in [".jpg", ".png"] where last.hasSuffix(ending) { return String(last.dropLast(ending.count)) }
        return String(last)
    }
}
