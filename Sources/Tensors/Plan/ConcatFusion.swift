/// Concatenations without a copy: their parts are computed where they are to stand, or already stand side by side in one buffer.
enum ConcatFusion {
    static func run(_ graph: inout PlanGraph) {
        var writers: [Int: [Int]] = [:]
        for (i, work) in graph.works.enumerated() where !work.isDead { writers[graph.home(work.output).owner, default: []].append(i) }
        var kept = Set<Int>()
        for value in graph.values.indices where graph.values[value].isRoot { kept.insert(graph.home(value).owner) }
        for i in graph.works.indices where !graph.works[i].isDead {
            guard case .concat(let axis) = graph.works[i].operation, axis <= 1, !graph.values[graph.works[i].output].isRoot else { continue }
            guard mayShare(i, graph) else { continue }
            if !joinNeighbours(i, axis, &graph) { computeInPlace(i, axis, &graph, &writers, kept) }
        }
    }

    /// A result that something is added to in place must not be where its parts are, if anybody else reads those.
    private static func mayShare(_ i: Int, _ graph: PlanGraph) -> Bool {
        func isOverwritten(_ value: Int) -> Bool {
            graph.values[value].dependents.contains { graph.values[$0].derivation == nil || isOverwritten($0) }
        }
        return !isOverwritten(graph.works[i].output) || graph.works[i].inputs.allSatisfy { graph.soleProducer($0) != nil }
    }

    /// Parts that stand side by side in one buffer already: the result is a view of it.
    private static func joinNeighbours(_ i: Int, _ axis: Int, _ graph: inout PlanGraph) -> Bool {
        let (parts, output) = (graph.works[i].inputs, graph.works[i].output)
        let (owner, start) = graph.home(parts[0])
        guard case .computed = graph.values[owner].source else { return false }
        let step = graph.values[parts[0]].layout.strides[0]
        var next = start
        for part in parts {
            let (home, offset) = graph.home(part)
            let layout = graph.values[part].layout
            guard home == owner, offset == next, axis == 0 ? layout.isContiguous : layout.isBatchContiguous && (layout.strides[0] == step || layout.shape[0] == 1)
            else { return false }
            next += axis == 0 ? layout.count : layout.count / max(layout.shape[0], 1)
        }
        var layout = TensorLayout(contiguous: graph.values[output].layout.shape)
        if axis == 1 { layout.strides[0] = step }
        guard graph.canLie(output, layout) else { return false }
        graph.works[i].isDead = true
        graph.becomeView(output, of: owner, offset: start, layout)
        return true
    }

    /// Parts with buffers of their own, whose kernels can write into the result's.
    private static func computeInPlace(_ i: Int, _ axis: Int, _ graph: inout PlanGraph, _ writers: inout [Int: [Int]], _ kept: Set<Int>) {
        let (parts, output) = (graph.works[i].inputs, graph.works[i].output)
        let whole = graph.values[output].layout
        guard graph.values[output].base == output else { return }
        var owners: [(value: Int, offset: Int, layout: TensorLayout)] = []
        var shift = 0
        for part in parts {
            let shape = graph.values[part].layout.shape
            let layout = TensorLayout(shape: shape, strides: whole.strides)
            guard let owner = graph.ownerIfWhole(part), !kept.contains(owner), owner != output, !owners.contains(where: { $0.value == owner }),
                graph.values[owner].layout == graph.values[part].layout, let works = writers[owner], !works.isEmpty,
                works.allSatisfy({ graph.works[$0].canWrite(layout) && graph.home(graph.works[$0].output).offset == 0 }), graph.canLie(owner, layout)
            else { return }
            owners.append((owner, shift, layout))
            shift += shape[axis] * whole.strides[axis]
        }
        for (owner, offset, layout) in owners {
            graph.place(owner, in: output, offset: offset, layout)
            writers[output, default: []] += writers.removeValue(forKey: owner) ?? []
        }
        writers[output]?.removeAll { $0 == i }
        graph.works[i].isDead = true
        graph.setProducer(output, nil)
    }
}
