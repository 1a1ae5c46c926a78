import Base
import Search
import Segmentation
import Tensors

/// What scripts/search.lua left in its directory, as the findings report needs it: settings, log, alpha and beta by epoch, pictures.
struct RunRecord {
    /// A validation image with its labels and what the supernet saw in it.
    struct Example {
        var image: Segmentation.Image
        var labels: Segmentation.LabelMap
        /// One for each of `shown`.
        var predictions: [Segmentation.LabelMap]
    }

    let directory: String
    /// Strings by name: data, train, validation, steps, arch_from, settings.* ...
    let metadata: [String: String]
    let space: TrellisSpace
    /// Epochs after which alpha and beta are known, from 0 (before the search).
    let epochs: [Int]
    /// softmax(alpha) by epoch and edge.
    let alpha: [[[Double]]]
    /// Arrow probabilities by epoch, [layers, strides, moves] row by row.
    let beta: [[Double]]
    /// Columns of log.csv by name; NaN where a cell holds no number.
    let log: [String: [Double]]
    let classes: [ClassInfo]
    /// Epochs after which the examples were segmented.
    let shown: [Int]
    let examples: [Example]

    /// - Throws: `FileError` when the directory has no history; `HostError` when its parts do not fit each other.
    init(_ directory: String) throws {
        self.directory = directory
        let path = directory + "/history.safetensors"
        let list: [(name: String, tensor: Tensor)]
        do {
            (list, metadata) = try Tensor.load(path)
        } catch let error as FileError {
            throw FileError(error.path, error.problem, remedy: "expected the directory of a run of scripts/search.lua, which writes it after each epoch")
        }
        let tensors = Dictionary(list.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
        let reader = Reader(path: path, metadata: metadata, tensors: tensors)
        space = try reader.space()
        epochs = try reader.tensor("epochs", [nil]).ints().map(Int.init)
        guard !epochs.isEmpty else { throw HostError("\(path) holds no epoch") }
        let alpha = try reader.tensor("alpha", ([epochs.count] + space.alphaShape).map(Optional.some)).floats().map(Double.init)
        let beta = try reader.tensor("beta", ([epochs.count] + space.betaShape).map(Optional.some)).floats().map(Double.init)
        let (edges, operators) = (space.alphaShape[0], space.alphaShape[1])
        self.alpha = epochs.indices.map { e in
            (0..<edges).map { edge in Array(alpha[((e * edges + edge) * operators)..<((e * edges + edge + 1) * operators)]) }
        }
        let arrows = space.betaShape.reduce(1, *)
        self.beta = epochs.indices.map { Array(beta[($0 * arrows)..<(($0 + 1) * arrows)]) }
        classes = try reader.classes()
        shown = try tensors["shown"]?.ints().map(Int.init) ?? []
        examples = try reader.examples(shown.count)
        log = try RunLog.read(directory + "/log.csv")
    }

    /// A setting of the run, as it was given on the command line.
    func setting(_ name: String) -> String { metadata["settings." + name] ?? "" }

    /// Epochs that the run was to have.
    var planned: Int { Int(setting("epochs")) ?? last }
    /// The last epoch that is known.
    var last: Int { epochs.last ?? 0 }
    var isDone: Bool { last >= planned }
    /// The epoch after which alpha and beta were trained.
    var searchStart: Int { Int(metadata["arch_from"] ?? "") ?? 0 }
    var seed: UInt64? { UInt64(setting("seed")) }

    /// The numbers of a column of the log, where there are any.
    func measured(_ column: String) -> [(epoch: Int, value: Double)] {
        zip(log["epoch"] ?? [], log[column] ?? []).filter { $0.isFinite && $1.isFinite }.map { (Int($0), $1) }
    }

    /// Height and width of the crops that the search trained on.
    var crop: (height: Int, width: Int) {
        let numbers = setting("crop").split(separator: ",").compactMap { Int($0) }
        return numbers.count == 2 ? (numbers[0], numbers[1]) : (64, 64)
    }

    /// What alpha and beta decode to after the epoch at a position of `epochs`.
    func architecture(_ position: Int) throws -> Architecture {
        try space.decode(
            alpha: alpha[position].flatMap { $0 }, beta: beta[position], normalised: true,
            provenance: Provenance(seed: seed, data: metadata["data"]))
    }

    /// Some epochs that tell the story, as positions in `epochs`: the start, where alpha and beta begin to move, every quarter of the way
    /// from there, the end.
    var chosen: [Int] {
        let end = epochs.count - 1
        let start = min(end, epochs.firstIndex { $0 >= searchStart } ?? 0)
        let quarters = (1...4).map { start + (end - start) * $0 / 4 }
        return Set([0, start] + quarters).sorted()
    }
}

/// Reads the parts of a history file.
private struct Reader {
    let path: String
    let metadata: [String: String]
    let tensors: [String: Tensor]

    /// - Parameter shape: nil where any size will do.
    func tensor(_ name: String, _ shape: [Int?]) throws -> Tensor {
        guard let tensor = tensors[name] else { throw HostError("\(path) has no '\(name)': it is no history of a search") }
        guard tensor.shape.count == shape.count, zip(tensor.shape, shape).allSatisfy({ $1 == nil || $0 == $1 }) else {
            let wanted = shape.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
            throw HostError("\(path): '\(name)' should be [\(wanted)] by the run's settings, it is \(tensor.shape)")
        }
        return tensor
    }

    private func number(_ name: String) throws -> Int {
        guard let text = metadata["settings." + name], let number = Int(text) else {
            throw HostError("\(path): the setting '\(name)' should be an integer, it is '\(metadata["settings." + name] ?? "missing")'")
        }
        return number
    }

    func space() throws -> TrellisSpace {
        let operators = (metadata["settings.operators"] ?? "").split(separator: ",").map(String.init)
        let strides = (metadata["settings.strides"] ?? "").split(separator: ",").compactMap { Int($0) }
        return try SpaceSummary(
            layers: number("layers"), strides: strides, filters: number("filters"), blocks: number("blocks"), operators: operators,
            // Runs of before say nothing of the published reach.
            headReach: metadata["settings.head_reach"] == nil ? SpaceOptions.publishedHeadReach : number("head_reach")
        ).space(catalogue: ScriptOperators.catalogue)
    }

    func classes() throws -> [ClassInfo] {
        let names = (metadata["classes"] ?? "").split(separator: "\n").map(String.init)
        let colours = (metadata["colours"] ?? "").split(separator: "\n").map { $0.split(separator: " ").compactMap { UInt8($0) } }
        guard !names.isEmpty, names.count == colours.count, colours.allSatisfy({ $0.count == 3 }) else {
            throw HostError("\(path): names and colours of the classes are missing or do not fit each other")
        }
        return zip(names, colours).map { ClassInfo($0, Segmentation.Colour($1[0], $1[1], $1[2])) }
    }

    func examples(_ shown: Int) throws -> [RunRecord.Example] {
        var found: [RunRecord.Example] = []
        while tensors["image_\(found.count + 1)"] != nil {
            let number = found.count + 1
            let image = try tensor("image_\(number)", [3, nil, nil])
            let size = Segmentation.Size(height: image.shape[1], width: image.shape[2])
            let values = try image.ints()
            var pixels = [UInt8](repeating: 0, count: 3 * size.count)
            for index in 0..<size.count {
                for channel in 0..<3 { pixels[3 * index + channel] = UInt8(clamping: values[channel * size.count + index]) }
            }
            let labels = try map(tensor("labels_\(number)", [size.height, size.width]).ints(), size)
            var predictions: [Segmentation.LabelMap] = []
            if shown > 0 {
                let all = try tensor("predictions_\(number)", [shown, size.height, size.width]).ints()
                predictions = (0..<shown).map { map(Array(all[($0 * size.count)..<(($0 + 1) * size.count)]), size) }
            }
            found.append(.init(image: Segmentation.Image(size: size, pixels: pixels), labels: labels, predictions: predictions))
        }
        return found
    }

    private func map(_ values: [Int32], _ size: Segmentation.Size) -> Segmentation.LabelMap {
        Segmentation.LabelMap(size: size, values: values.map { UInt16(clamping: $0) })
    }
}

/// A table of numbers with a line of names, commas between: what scripts/search.lua writes as log.csv.
enum RunLog {
    /// Columns by name; a cell that holds no number is NaN.
    static func read(_ path: String) throws -> [String: [Double]] {
        let lines = String(decoding: try Files.contents(path, limit: 1 << 28), as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let names = lines.first?.split(separator: ",", omittingEmptySubsequences: false).map(String.init), names.contains("epoch") else {
            throw HostError("\(path): expected a table whose first line has the column 'epoch'")
        }
        var columns: [String: [Double]] = [:]
        for (index, line) in lines.dropFirst().enumerated() {
            let cells = line.split(separator: ",", omittingEmptySubsequences: false)
            guard cells.count == names.count else {
                throw HostError("\(path), line \(index + 2): expected \(names.count) columns, got \(cells.count)")
            }
            for (name, cell) in zip(names, cells) { columns[name, default: []].append(Double(cell) ?? .nan) }
        }
        return columns
    }
}
