import Base
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
        /// Floats into the memory of the sums.
        let start: Int
        let finish: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<UnsafeMutableRawPointer>) -> Void
        let places: [Place]
    }

    private var parts: [(launch: PlainLaunch, places: [Place])] = []
    private var sums: [Sum] = []
    private var sumFloats = 0
    private let scratchBytes: Int
    private let slices: PlanGraph.Slices
    private let widest: Int
    /// Values behind the entries of the table.
    private(set) var operands: [Int] = []

    /// - Parameter works: of one chain, in order.
    init(_ works: [PlanGraph.Work], _ graph: PlanGraph, _ slices: PlanGraph.Slices) {
        self.slices = slices
        let arena = SlicedKernel.scratch(works, graph, pieces: slices.pieces)
        scratchBytes = arena.bytes
        widest = works.map { $0.inputs.count + 1 }.max() ?? 1
        var entries: [Int: Int] = [:]
        for work in works {
            let sliced = graph.sliced(work, sets: slices.sets)
            var places: [Place] = []
            for (value, steps) in zip(work.inputs + [work.output], sliced.steps) {
                if let offset = arena.offsets[value] {
                    places.append(Place(base: .scratch(offset), steps: .none))
                } else {
                    let entry = entries[value] ?? operands.count
                    if entry == operands.count { operands.append(value) }
                    entries[value] = entry
                    places.append(Place(base: .table(entry), steps: steps))
                }
            }
            if let sum = sliced.sum, let steps = sliced.steps.last {
                sums.append(Sum(start: sumFloats, finish: sum.finish, places: places))
                places[places.count - 1] = Place(base: .sums(sumFloats), steps: steps)
                sumFloats += (slices.images * sum.floats + 15) & ~15
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
        guard let sumMemory = Workspace.floats(max(sumFloats, 1), slot: 1) else { return }
        let memory = Memory(table: table, sums: UnsafeMutableRawPointer(sumMemory))
        ThreadPool.run(slices.pieces) { piece in
            let (image, set) = (piece / slices.sets, piece % slices.sets)
            guard let own = Workspace.floats(max(scratchBytes / DType.byteCount, 1), slot: 0) else { return }
            let scratch = UnsafeMutableRawPointer(own)
            withAddresses { addresses in
                for (launch, places) in parts {
                    for (i, place) in places.enumerated() {
                        let offset = image / place.steps.every * place.steps.imageStep + set * place.steps.setStep
                        addresses[i] = memory.start(of: place, scratch) + offset * DType.byteCount
                    }
                    launch(addresses)
                }
            }
        }
        withAddresses { addresses in
            for sum in sums {
                for (i, place) in sum.places.enumerated() { addresses[i] = memory.start(of: place, memory.sums) }
                sum.finish(memory.sums.assumingMemoryBound(to: Float.self) + sum.start, addresses)
            }
        }
    }

    private func withAddresses(_ body: (UnsafeMutablePointer<UnsafeMutableRawPointer>) -> Void) {
        withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer.self, capacity: widest) { addresses in
            if let addresses = addresses.baseAddress { body(addresses) }
        }
    }

    private struct Memory {
        let table: UnsafeMutablePointer<UnsafeMutableRawPointer>
        let sums: UnsafeMutableRawPointer

        func start(of place: Place, _ scratch: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
            switch place.base {
            case .table(let entry): table[entry]
            case .scratch(let bytes): scratch + bytes
            case .sums(let floats): sums + floats * DType.byteCount
            }
        }
    }
}
