import Base
import CLua
import Networks
import Segmentation
import Tensors

/// A data set whose samples a function of a script makes.
final class ScriptedSet: DataSet, @unchecked Sendable {
    let name: String
    let parts: [SamplePart]
    let classes: [ClassInfo]
    let count: Int
    let normalisation: Normalisation
    let recipe: String
    private let maker: Source
    /// Known from finding out what samples are like.
    private let first: Sample

    /// The function, what it is given besides a number, and the seed of what is random in it.
    struct Source {
        let function: LuaFunction
        let random: LuaFunction?
        let seed: UInt64

        func arrays(_ index: Int, _ names: [String]) throws -> [NamedArray] {
            try ScriptedSample.seeded(Draw.sampleSeed(seed, index)) {
                try ScriptedSample.arrays(
                    function.call(all: [index + 1, random.map { LuaValue.function($0) } ?? LuaValue.nil]).first ?? .nil, names, from: "sample")
            }
        }
    }

    init(
        name: String, count: Int, source: Source, parts: [SamplePart], first: [NamedArray], classes: [ClassInfo], normalisation: Normalisation
    ) throws {
        (self.name, self.count, maker, self.parts, self.classes, self.normalisation) = (name, count, source, parts, classes, normalisation)
        recipe = source.function.recipe + "\nseed \(source.seed)"
        self.first = try ScriptedSet.sample(first, parts, classes: classes.count, source: "\(name) (sample 1)")
    }

    var needsCaller: Bool { true }
    func source(_ index: Int) -> String { "\(name) (sample \(index + 1))" }

    func size(_ index: Int) throws -> Size {
        guard let map = parts.firstIndex(where: \.kind.isMap) else { throw DataError("samples of \(name) have no height and width") }
        let shape = try sample(index).values[map].shape
        return Size(height: shape[shape.count - 2], width: shape[shape.count - 1])
    }

    func sample(_ index: Int) throws -> Sample {
        precondition((0..<count).contains(index), "no such sample")
        return index == 0 ? first : try ScriptedSet.sample(maker.arrays(index, parts.map(\.name)), parts, classes: classes.count, source: source(index))
    }

    private static func sample(_ arrays: [NamedArray], _ parts: [SamplePart], classes: Int, source: String) throws -> Sample {
        let values = try zip(arrays, parts).map { try SampleShape.value($0, $1, classes: classes, source: source) }
        try SampleShape.check(values, parts, source: source)
        return Sample(values)
    }
}

/// A data set with functions of a script that say what becomes of some parts in a window.
final class ScriptedCuts: DataSetView, @unchecked Sendable {
    let base: any DataSet
    private let functions: [Int: LuaFunction]

    init(_ base: any DataSet, _ functions: [Int: LuaFunction]) { (self.base, self.functions) = (base, functions) }

    var needsCaller: Bool { true }
    var recipe: String { ([base.recipe] + functions.keys.sorted().compactMap { functions[$0]?.recipe }).joined(separator: "\n") }
    func sample(_ index: Int) throws -> Sample { try base.sample(index) }

    func cut(_ value: SampleValue, part index: Int, to window: Augmentation.Window) throws -> SampleValue {
        guard let function = functions[index] else { return value }
        let place: LuaValue = [
            "top": .integer(window.top), "left": .integer(window.left), "height": .integer(window.size.height), "width": .integer(window.size.width),
            "scaled_height": .integer(window.scaled.height), "scaled_width": .integer(window.scaled.width), "mirrored": .boolean(window.mirrored),
        ]
        let name = parts[index].name
        let result = try ScriptedSample.seeded(0) {
            try function.call(all: [value.tensor(), place], returning: Tensor.self, expected: .tensor, from: "kinds.\(name)").detach().contiguous().namedArray(name)
        }
        guard result.dtype == parts[index].dtype else { throw HostError("kinds.\(name) should return \(parts[index].dtype.rawValue), got \(result.dtype.rawValue)") }
        return .array(result)
    }
}

/// `data.from`.
enum DataFrom {
    static let binding = Binding(
        module: "data", name: "from",
        options: [
            Option("sample", .union([.function, .table]), required: true, "f(i, random): a table of tensors by name; or tensors [count, ...] by name"),
            Option("count", .integer, "number of samples; needed with a function"),
            Option("inputs", .list(.string), required: true, "names of what networks compute from, in the order in which losses get them"),
            Option("targets", .list(.string), default: [], "names of what they are to give"),
            Option("kinds", .table, "by name, what becomes of a part when a sample is cut, scaled or mirrored: 'image', 'nearest', 'bilinear', 'points', 'same', or f(value, window)"),
            Option("outside", .table, "by name, what maps hold outside of the image; 0, of int32 255"),
            Option("names", .list(.string), "of classes: the one target, int32 [H, W], holds class numbers from 0, 255 where a pixel does not count"),
            Option("seed", .integer, default: 0, "decides what is random in f"),
            Option("name", .string, default: "own data", "for messages"), DataModule.cache,
        ] + DataNormalisation.options,
        returns: DataModule.set, summary: "Samples of any task, from a function or from tensors.",
        detail: """
            Every set has inputs and targets, float32 or int32 tensors; a loss is a function of network, inputs and targets. f makes sample i, the same one each time: math.random, \
            tensor.rand and `random` (as math.random) draw numbers that depend on the seed and i alone inside of it. It is called once here, for sample 1, to see what samples are like, \
            and later between steps; tensors are read in the background. Kinds are found where they are clear: the first input [3, H, W] is an 'image' (0 to 1, normalised and \
            jittered); of its height and width, int32 is 'nearest' (labels, masks) and float32 'bilinear' (depth). 'points' are [..., 2 or more] with x and y in pixels, the centre of the \
            first at 0. 'same' does not depend on the place. A function gets the value and {top, left, height, width, scaled_height, scaled_width, mirrored}. A part of no clear kind is an \
            error once a sample is cut, scaled or mirrored. Shapes may differ from sample to sample; what is in one batch has one. With `names` the set is one of images with labels, as those \
            of files.
            """,
        example: """
            local set = data.from{
              count = 8, inputs = {"image"}, targets = {"depth"}, normalise = false,
              sample = function(i, random)
                local near = tensor.full({12, 16}, random())
                return {image = tensor.stack({near, near, near}, 1), depth = 1 - near}
              end,
            }
            local loader = set:batches{size = 4, seed = 1, crop = {8, 8}, flip = true}
            local image, depth = loader:next()
            print(set, depth:size(3), (image[1][1] + depth[1]):mean():item())  --> own data: 8 samples, image to depth, the first 12x16	8	1.0
            """
    ) { call in
        let anchor = LuaAnchor(call.thread)
        let given: LuaValue = try call.option("sample")
        let (inputs, targets): ([String], [String]) = (try call.option("inputs"), try call.option("targets"))
        let names = inputs + targets
        guard !inputs.isEmpty else { throw call.badOption("inputs", "one name or more expected") }
        guard Set(names).count == names.count else { throw call.badOption("targets", "each name once among inputs and targets expected, got \(names.joined(separator: ", "))") }
        let classes = try call.option(ifPresent: "names", as: [String].self)?.enumerated().map { ClassInfo($1, .palette($0 + 1)) } ?? []
        let normalisation = try DataNormalisation.read(call)
        let name: String = try call.option("name")

        let made: any DataSet
        let functions: [Int: LuaFunction]
        if let function = given.function {
            guard let count: Int = try call.option(ifPresent: "count") else { throw call.badOption("count", "the number of samples expected, beside a function") }
            guard (1...Shapes.maximumImages).contains(count) else { throw call.badOption("count", "1 to \(Shapes.maximumImages) expected, got \(count)") }
            let source = ScriptedSet.Source(
                function: function.kept(by: anchor), random: ScriptRandom.function(call.thread)?.kept(by: anchor), seed: try call.option("seed"))
            let first: [NamedArray]
            do { first = try source.arrays(0, names) } catch let error where !(error is Interrupted) { throw DataError("sample 1 of \(name): \(error)") }
            let (parts, cuts) = try kinds(call, zip(names, first).map { ($0, $1.shape, $1.dtype) }, inputs: inputs.count, classes, anchor)
            made = try ScriptedSet(name: name, count: count, source: source, parts: parts, first: first, classes: classes, normalisation: normalisation)
            functions = cuts
        } else {
            let arrays = try ScriptedSample.arrays(given, names, from: "sample")
            let count = arrays[0].shape.first ?? 0
            if let wrong = arrays.first(where: { $0.shape.first != count || count == 0 }) {
                throw call.badOption("sample", "tensors [count, ...] of as many samples expected, \(wrong.name) is \(Shape.text(wrong.shape)), \(names[0]) \(Shape.text(arrays[0].shape))")
            }
            if let said: Int = try call.option(ifPresent: "count"), said != count { throw call.badOption("count", "\(count) expected, as the tensors have, got \(said)") }
            let (parts, cuts) = try kinds(call, zip(names, arrays).map { ($0, Array($1.shape.dropFirst()), $1.dtype) }, inputs: inputs.count, classes, anchor)
            let set = ArraySet(name: name, parts: parts, arrays: arrays, classes: classes, normalisation: normalisation)
            try SampleShape.check(set.sample(0).values, parts, source: set.source(0))
            made = set
            functions = cuts
        }
        return try DataModule.finish(call, functions.isEmpty ? made : ScriptedCuts(made, functions), check: false, .generator, anchors: [anchor], keeps: given.function != nil)
    }

    /// What each part is, and the functions that say what becomes of it.
    private static func kinds(
        _ call: Call, _ found: [(name: String, shape: [Int], dtype: ElementType)], inputs: Int, _ classes: [ClassInfo], _ anchor: LuaAnchor
    ) throws -> (parts: [SamplePart], functions: [Int: LuaFunction]) {
        func table(_ option: String) throws -> [String: LuaValue] {
            let fields = try call.option(ifPresent: option, as: LuaValue.self)?.table?.fields ?? [:]
            if let stray = fields.keys.sorted().first(where: { name in !found.contains { $0.name == name } }) {
                throw call.badOption(option, "names of inputs and targets expected, got '\(stray)'")
            }
            return fields
        }
        let (kinds, outside) = (try table("kinds"), try table("outside"))
        let plane = found.prefix(inputs).first { $0.shape.count >= 2 }?.shape.suffix(2).map { $0 }
        let size = plane.map { Size(height: $0[0], width: $0[1]) }
        var functions: [Int: LuaFunction] = [:]
        let parts = try found.enumerated().map { index, part -> SamplePart in
            var kind = SampleShape.kind(part.shape, part.dtype, size: size, isInput: index < inputs, isFirst: index == 0)
            if let function = kinds[part.name]?.function {
                functions[index] = function.kept(by: anchor)
                kind = .own
            } else if let given = kinds[part.name] {
                let allowed: [SamplePart.Kind] = [.image, .nearest, .bilinear, .points, .same]
                guard let named = allowed.first(where: { $0.rawValue == given.string }) else {
                    throw call.badOption("kinds", "\(part.name): one of \(allowed.map { "'\($0.rawValue)'" }.joined(separator: ", ")) or a function expected, got \(given.source)")
                }
                if part.dtype == .int32, [.image, .bilinear, .points].contains(named) {
                    throw call.badOption("kinds", "\(part.name): int32 cannot be '\(named.rawValue)'; make it float32, or say 'nearest' or 'same'")
                }
                kind = named
            }
            if let given = outside[part.name], given.number == nil { throw call.badOption("outside", "\(part.name): a number expected, got \(given.typeName)") }
            let fill = outside[part.name].map { $0.number ?? .nan } ?? (part.dtype == .int32 ? Double(LabelMap.ignore) : 0)
            if part.dtype == .int32, Int32(exactly: fill) == nil { throw call.badOption("outside", "\(part.name): an int32 number expected") }
            return SamplePart(part.name, isInput: index < inputs, kind: kind, dtype: part.dtype, outside: Float(fill))
        }
        if !classes.isEmpty {
            guard parts.count == 2, inputs == 1, parts[0].kind == .image, parts[1].kind == .nearest, parts[1].dtype == .int32, found[1].shape.count == 2 else {
                throw call.badOption("names", "classes are those of one target, int32 [H, W], of one image [3, H, W]; leave names out for any other task")
            }
        }
        return (parts, functions)
    }
}
