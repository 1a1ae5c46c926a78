import Figures
import Networks
import Search
import Tensors

/// Any space, supernet or architecture as a picture.
enum PlotSpaces {
    static let bindings = [space, decisions]

    private static let sample = SpaceRecordMethods.sample
    private static let what = Argument("what", .union([.object("space"), .object("supernet"), .object("architecture")]))
    private static let architecture = Option("architecture", .object("architecture"), "what it decides is marked, and what it has not is faint")

    private static let space = Binding(
        module: "plot", name: "space", parameters: [what],
        options: [
            architecture, Option("input", .list(.integer), default: [1, 3, 64, 64], "shape of what the network is called with"),
        ] + PlotValues.labels,
        returns: [Returns(.object("figure"))], summary: "A space as the graph of its modules, with its decisions on it.",
        detail: """
            Modules stand along the flow of data; one that decides something shows its options, of a supernet as bars that are as long as they are probable. Lines that something \
            decides are as wide and coloured as they are probable. What stands on the arrows of a paths decision is drawn as a trellis, with a dot for what is decided on an arrow; \
            decisions that several modules share stand below. Long networks go on in the next line, where numbers say what continues what. A stock trellis is drawn as trellis and cell, \
            an architecture alone as its decisions.
            """,
        example: sample + "plot.space(space):save('space.svg')\nplot.space(space:supernet{seed = 1}, {architecture = space:random{seed = 2}}):save('net.png')"
    ) { call in
        try push(call, figures(call))
    }

    private static let decisions = Binding(
        module: "plot", name: "decisions", parameters: [what], options: [architecture] + PlotValues.labels, returns: [Returns(.object("figure"))],
        summary: "All decisions with their options: of a supernet how probable each is, of an architecture which it has.",
        detail: "A paths decision is a trellis, as in plot.space.", example: sample + "print(plot.decisions(space:supernet{seed = 1}):text():match('op: choice'))  --> op: choice"
    ) { call in
        let pictures = try pictures(call)
        return try push(call, pictures.figures(pictures.decisions.all.map(\.name), title: call.option(ifPresent: "title")))
    }

    private static func push(_ call: Call, _ figures: [any Figure]) throws -> Int {
        let isDark = try call.option("theme") == "dark"
        func themed(_ figure: any Figure) -> any Figure { isDark ? figure.themed(.dark) : figure }
        guard figures.count > 1 else { return call.push(FigureObject(themed(figures[0]))) }
        var column = FigureGrid.column(figures.map(themed))
        if isDark { column.theme = .dark }
        return call.push(FigureObject(column))
    }

    private static func pictures(_ call: Call) throws -> DecisionPictures {
        let given: ArchitectureObject? = try call.option(ifPresent: "architecture")
        switch try call.plain(1).object(as: AnyObject.self) {
        case let object as SupernetObject: return try DecisionPictures(object.net, architecture: given.map { try object.space.assignment(of: $0) })
        case let object as SpaceObject: return DecisionPictures(object.decisions, architecture: try given.map { try object.assignment(of: $0) })
        case let object as ArchitectureObject:
            let decided = try object.decided()
            return DecisionPictures(decided.decisions, architecture: decided.assignment)
        default: throw call.bad(1, "a space, a supernet or an architecture expected, got \(call.typeName(1))")
        }
    }

    /// The graph of a space's modules for the option `input`.
    static func flow(_ space: ModuleSpace, _ call: Call, classes: Int?) throws -> NetworkFlow {
        let input: [Int] = try call.option("input")
        do { return try space.flow(input: input, classes: classes) } catch let error as TensorError {
            throw call.badOption("input", "the network cannot be called with \(input): \(error); give a shape that it takes")
        }
    }

    private static func figures(_ call: Call) throws -> [any Figure] {
        let title: String? = try call.option(ifPresent: "title")
        let pictures = try pictures(call)
        let flow: NetworkFlow
        switch try call.plain(1).object(as: AnyObject.self) {
        case let object as SupernetObject where object.net.space.trellis == nil: flow = try self.flow(object.net.space, call, classes: object.net.classes)
        case let object as SpaceObject where object.space.trellis == nil: flow = try self.flow(object.space, call, classes: nil)
        default: return try pictures.figures(pictures.decisions.all.map(\.name), title: title)
        }
        return try pictures.figures(flow, title: title)
    }
}
