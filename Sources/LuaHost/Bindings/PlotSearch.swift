import Figures
import Networks
import Search
import Tensors

/// Spaces, supernets and architectures as pictures.
enum PlotSearch {
    static let bindings = [trellis, cell, alpha]

    private static let figure = [Returns(.object("figure"))]

    private static let tiny = "local space = nas.trellis{layers = 4, cell = nas.cell{blocks = 2, operators = {'none', 'skip_connect', 'sep_conv_3x3'}}}\n"

    private static let trellis = Binding(
        module: "plot", name: "trellis",
        parameters: [Argument("what", .union([.object("supernet"), .object("architecture"), .object("space")]))],
        options: [
            Option("path", .union([.boolean, .list(.integer)]), "strides of a path to draw on top; a supernet's own decoded one unless false"),
            Option("space", .object("space"), "what an architecture's path is drawn into"),
        ] + PlotValues.labels,
        returns: figure, summary: "The trellis: layers to the right, strides downwards.",
        detail: "Of a supernet, width and colour of the arrows are beta, the probability of an arrow among those that leave its node; the decoded path lies on top.",
        example: tiny + "plot.trellis(space):save('space.svg')\nplot.trellis(nas.gallery.auto_deeplab):save('path.png')"
    ) { call in
        let drawing = try drawing(call)
        return try PlotValues.push(call, TrellisFigure(drawing, title: call.option(ifPresent: "title")))
    }

    private static func drawing(_ call: Call) throws -> TrellisDrawing {
        var path: [Int]?
        var wantsPath = true
        if let given: LuaValue = try call.option(ifPresent: "path") {
            wantsPath = given.boolean ?? true
            path = given.table?.list.compactMap(\.integer)
        }
        switch try call.plain(1).object(as: AnyObject.self) {
        case let object as SupernetObject:
            let net = object.net
            let space = try net.space.requireTrellis(for: "plot.trellis"), beta = try net.arrowProbabilities().floats()
            if path == nil, wantsPath { path = try net.strongest().path }
            return try drawing(space, path) { Double(beta[space.betaIndex(of: $0)]) }
        case let object as SpaceObject:
            return try drawing(object.space.requireTrellis(for: "plot.trellis"), path) { _ in .nan }
        case let object as ArchitectureObject:
            let architecture = try object.requireTrellis(for: "plot.trellis")
            let space: SpaceObject? = try call.option(ifPresent: "space")
            if let space { return try drawing(space.space.requireTrellis(for: "space"), wantsPath ? path ?? architecture.path : nil) { _ in .nan } }
            return try TrellisDrawing(path: path ?? architecture.path, strides: architecture.space.strides)
        default: throw call.bad(1, "supernet, architecture or space expected, got \(call.typeName(1))")
        }
    }

    /// The trellis of a space with a path and the probability of each arrow.
    static func drawing(_ space: TrellisSpace, _ path: [Int]?, _ probability: (Search.TrellisArrow) -> Double) throws -> TrellisDrawing {
        let arrows = space.arrows.map { arrow in
            Figures.TrellisArrow(
                layer: arrow.layer, from: space.strides[arrow.from], to: space.strides[arrow.to], probability: probability(arrow))
        }
        return try TrellisDrawing(layers: space.layers, strides: space.strides, arrows: arrows, path: path)
    }

    private static let cell = Binding(
        module: "plot", name: "cell", parameters: [Argument("what", .union([.object("architecture"), .object("supernet")]), "a supernet is decoded")],
        options: PlotValues.labels, returns: figure, summary: "The cell as a graph: inputs, blocks with their operators, the concatenation.",
        detail: "Beside each operator stands its weight among those of its edge, where that is known.", example: "plot.cell(nas.gallery.auto_deeplab, {title = 'published'}):save('cell.svg')"
    ) { call in
        let architecture: Architecture
        switch try call.plain(1).object(as: AnyObject.self) {
        case let object as ArchitectureObject: architecture = try object.requireTrellis(for: "plot.cell")
        case let object as SupernetObject: architecture = try object.net.strongest()
        default: throw call.bad(1, "architecture or supernet expected, got \(call.typeName(1))")
        }
        return try PlotValues.push(call, CellFigure(drawing(architecture), title: call.option(ifPresent: "title")))
    }

    /// The cell, with the weight of each branch's operator where that is known.
    static func drawing(_ architecture: Architecture) throws -> CellDrawing {
        let strengths = architecture.scores.strengths
        return try CellDrawing(blocks: architecture.cell.blocks.enumerated().map { index, block in
            block.branches.enumerated().map { branch, item in
                let place = 2 * index + branch
                return CellOperator(state: item.state, name: item.operation, weight: place < strengths.count ? strengths[place] : nil)
            }
        })
    }

    private static let alpha = Binding(
        module: "plot", name: "alpha", parameters: [Argument("supernet", .object("supernet"))], options: PlotValues.labels, returns: figure,
        summary: "softmax(alpha) as a heat map: edges by operators, the strongest operator of each edge outlined.",
        example: tiny + "plot.alpha(space:supernet{classes = 3, seed = 1}, {title = 'start'}):save('alpha.svg')"
    ) { call in
        let net = try call.get(1, as: SupernetObject.self).net, space = try net.space.requireTrellis(for: "plot.alpha")
        let rows = try PlotValues.rows(.object(net.operatorProbabilities())) ?? []
        let map = try HeatMap.alpha(
            rows, edges: CellDrawing.edgeNames(blocks: space.cell.blocks), operators: space.cell.operators, title: call.option(ifPresent: "title"))
        return try PlotValues.push(call, map)
    }
}
