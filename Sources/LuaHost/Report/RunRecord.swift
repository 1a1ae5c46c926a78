import Base
import Glibc
import Search
import Segmentation
import Tensors

/// What scripts/search.lua left in its directory, as the findings report needs it: settings, log, the space, probabilities by epoch, pictures.
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
    let space: SpaceRecord
    /// Of a stock trellis.
    let trellis: TrellisRun?
    /// The graph of the supernet's modules, where the run left one.
    let flow: NetworkFlow?
    /// Epochs after which the probabilities are known, from 0 (before the search).
    let epochs: [Int]
    /// Probabilities of the options of each decision, row by row, by epoch.
    let probabilities: [String: [[Double]]]
    /// Columns of log.csv by name; NaN where a cell holds no number.
    let log: [String: [Double]]
    let classes: [ClassInfo]
    /// Epochs after which the examples were segmented.
    let shown: [Int]
    let examples: [Example]
    /// How sure the search was of its decisions, in its words; nil before its end.
    let certainty: String?

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
        probabilities = try reader.probabilities(of: space, epochs: epochs.count)
        let (known, count) = (probabilities, epochs.count)
        trellis = try space.trellis.map { try TrellisRun($0.space(catalogue: ScriptOperators.catalogue), known, epochs: count) }
        flow = try metadata["flow"].map { try NetworkFlow(json: JSONValue.parse($0.utf8), at: "\(path): flow") }
        classes = try reader.classes()
        shown = try tensors["shown"]?.ints().map(Int.init) ?? []
        examples = try reader.examples(shown.count)
        log = try RunLog.read(directory + "/log.csv")
        let words = directory + "/certainty.txt"
        certainty = try access(words, F_OK) == 0 ? String(decoding: Files.contents(words, limit: 1 << 20), as: UTF8.self) : nil
    }

    /// A setting of the run, as it was given on the command line.
    func setting(_ name: String) -> String { metadata["settings." + name] ?? "" }

    /// Epochs that the run was to have.
    var planned: Int { Int(setting("epochs")) ?? last }
    /// The last epoch that is known.
    var last: Int { epochs.last ?? 0 }
    var isDone: Bool { last >= planned }
    /// The epoch after which the logits were trained.
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

    /// The most probable architecture after the epoch at a position of `epochs`.
    func decoded(_ position: Int) throws -> Assignment {
        let (on, off) = space.decisions.decodingWeights(probabilities.mapValues { $0[position] })
        return try space.decisions.decode(weights: on, off: off)[0].assignment
    }

    /// The decisions as pictures have them, after the epoch at a position.
    func pictures(_ position: Int, decides architecture: Assignment? = nil) -> DecisionPictures {
        DecisionPictures(space.decisions, probabilities: probabilities.mapValues { $0[position] }, architecture: architecture)
    }

    /// Some epochs that tell the story, as positions in `epochs`: the start, where the logits begin to move, every quarter of the way
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

    /// Runs of before have no record but the settings of a stock trellis.
    func space() throws -> SpaceRecord {
        if let text = metadata["space"] { return try SpaceRecord(json: JSONValue.parse(text.utf8), at: "\(path): space") }
        let operators = (metadata["settings.operators"] ?? "").split(separator: ",").map(String.init)
        let strides = (metadata["settings.strides"] ?? "").split(separator: ",").compactMap { Int($0) }
        var options = SpaceOptions()
        // Nor do they say anything of the published reach.
        if metadata["settings.head_reach"] != nil { options.headReach = try number("head_reach") }
        let space = try SpaceSummary(
            layers: number("layers"), strides: strides, filters: number("filters"), blocks: number("blocks"), operators: operators, options: options
        ).space(catalogue: ScriptOperators.catalogue)
        return try SpaceRecord(space)
    }

    /// By decision and epoch; a stock trellis has them as alpha and beta.
    func probabilities(of record: SpaceRecord, epochs: Int) throws -> [String: [[Double]]] {
        func rows(_ tensor: Tensor) throws -> [[Double]] {
            let values = try tensor.floats().map(Double.init), width = values.count / max(1, epochs)
            return (0..<epochs).map { Array(values[($0 * width)..<(($0 + 1) * width)]) }
        }
        if let trellis = record.trellis {
            let space = try trellis.space(catalogue: ScriptOperators.catalogue)
            let alpha = try rows(tensor("alpha", ([epochs] + space.alphaShape).map(Optional.some)))
            let beta = try rows(tensor("beta", ([epochs] + space.betaShape).map(Optional.some)))
            return TrellisRun.probabilities(space, record.decisions, alpha: alpha, beta: beta)
        }
        var all: [String: [[Double]]] = [:]
        for (i, decision) in record.decisions.decisions.enumerated() {
            all[decision.name] = try rows(tensor("p_\(i + 1)", ([epochs] + decision.shape).map(Optional.some)))
        }
        return all
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
