import Kernels

/// The works of a chain (`SliceFusion`), each cut down to one image and one set of channels. A piece of work for a thread is all of them, one behind the
/// other, for one such part. Sums over the images (weight gradients) are added in the images' order at last, so that the result is the same for any
/// number of threads.
struct SlicedKernel {
    /// Where an operand's part lies.
    private struct Place {
        enum Base {
            /// In a tensor: an entry of the plan's table.
            case table(Int)
            /// In memory of the piece's own, at so many bytes.
            case scratch(Int)
            /// Among the sums that each image gives, from so many floats on.
            case sums(Int)
        }

        let base: Base
        let steps: SliceSteps
    }

    private struct Sum {
        /// Floats into `sums`, elements, entry of the table.
        let start, count, output: Int
        let accumulate: Bool
    }

    private var parts: [(launch: PlainLaunch, places: [Place])] = []
    private var sums: [Sum] = []
    private var sumCount = 0
    private let scratchBytes: Int
    private let images, sets: Int
    private let widest: Int
    /// Values behind the entries of the table.
    private(set) var operands: [Int] = []

    /// - Parameter works: of one chain, in order.
    init(_ works: [PlanGraph.Work], _ graph: PlanGraph, sets: Int) {
        images = works.first.flatMap { graph.slicing($0)?.images } ?? 1
        self.sets = sets
        let arena = SlicedKernel.scratch(works, graph, pieces: images * sets)
        scratchBytes = arena.bytes
        widest = works.map { $0.inputs.count + 1 }.max() ?? 1
        for work in works {
            let sliced = graph.sliced(work, sets: sets)
            var places: [Place] = []
            for (value, steps) in zip(work.inputs + [work.output], sliced.steps) {
                if let offset = arena.offsets[value] {
                    places.append(Place(base: .scratch(offset), steps: SliceSteps(imageStep: 0, setStep: 0)))
                } else {
                    places.append(Place(base: .table(operands.count), steps: steps))
                    operands.append(value)
                }
            }
            if sliced.isSum, let steps = sliced.steps.last {
                let count = graph.values[work.output].layout.count
                sums.append(Sum(start: sumCount, count: count, output: operands.count - 1, accumulate: work.accumulate))
                places[places.count - 1] = Place(base: .sums(sumCount), steps: steps)
                sumCount += images * count
            }
            parts.append((sliced.launch, places))
        }
    }

    /// Offsets of what is passed on, of which a part is needed from its work to the last that reads it.
    private static func scratch(_ works: [PlanGraph.Work], _ graph: PlanGraph, pieces: Int) -> (offsets: [Int: Int], bytes: Int) {
        let values = works.map(\.output).filter { graph.values[$0].isPassed }
        let arena = Arena(values.map { value in
            let users = works.indices.filter { works[$0].output == value || works[$0].inputs.contains(value) }
            return Arena.Request(bytes: graph.values[value].layout.count / pieces * DType.byteCount, first: users.first ?? 0, last: users.last ?? 0)
        })
        return (Dictionary(uniqueKeysWithValues: zip(values, arena.offsets)), arena.byteCount)
    }

    /// - Parameter table: addresses of `operands`.
    func run(_ table: UnsafeMutablePointer<UnsafeMutableRawPointer>) {
        let partial = UnsafeMutableRawPointer(Workspace.floats(max(sumCount, 1), slot: 1))
        ThreadPool.run(images * sets) { piece in
            let scratch = UnsafeMutableRawPointer(Workspace.floats(max(scratchBytes / DType.byteCount, 1), slot: 0))
            withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer.self, capacity: widest) { addresses in
                guard let addresses = addresses.baseAddress else { return }
                for part in parts {
                    for (i, place) in part.places.enumerated() {
                        let steps = place.steps
                        let offset = (piece / sets / steps.every * steps.imageStep + piece % sets * steps.setStep) * DType.byteCount
                        switch place.base {
                        case .table(let entry): addresses[i] = table[entry] + offset
                        case .scratch(let start): addresses[i] = scratch + start
                        case .sums(let start): addresses[i] = partial + start * DType.byteCount + offset
                        }
                    }
                    part.launch(addresses)
                }
            }
        }
        for sum in sums { add(sum, partial.assumingMemoryBound(to: Float.self) + sum.start, table.floats(sum.output)) }
    }

    private func add(_ sum: Sum, _ partial: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>) {
        if !sum.accumulate { output.update(from: partial, count: sum.count) }
        for image in (sum.accumulate ? 0 : 1)..<images {
            let part = partial + image * sum.count
            for i in 0..<sum.count { output[i] += part[i] }
        }
    }
}
