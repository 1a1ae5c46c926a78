import Networks
import Search
import Tensors

/// What files keep of spaces, and spaces made from it.
enum SpaceRecordMethods {
    /// A small space for examples.
    static let sample = """
        local space = nas.space(function(c)
          local net = {mix = nas.mix(nas.choice('op', {'skip_connect', 'sep_conv_3x3'}), function(op) return nas.parts.operator(op, 3) end)}
          function net.forward(self, x) return self.mix(x) end
          return nn.module(net, {name = 'small'})
        end)

        """

    static let record = Binding(
        module: "space", name: "record", returns: [Returns(.string, "JSON")],
        summary: "What files keep of the space: its decisions, and the sizes and options of a stock trellis or the text of the script that makes it.",
        example: sample + "print(space:record():match('decisions'))  --> decisions"
    ) { call in call.push(try call.this(as: SpaceObject.self).space.record.json.text()) }

    static let flow = Binding(
        module: "space", name: "flow",
        options: [Option("input", .list(.integer), default: [1, 3, 64, 64], "shape of what the network is called with"), Option("classes", .integer, "instead of the space's")],
        returns: [Returns(.string, "JSON")], summary: "The graph of the network's modules, as plot.space draws it.", detail: "For files: a report draws it again, without the network.",
        example: sample + "print(space:flow():match('sep_conv_3x3') == nil, space:flow():match('mix'))  --> true\tmix"
    ) { call in
        let space = try call.this(as: SpaceObject.self).space
        return call.push(try PlotSpaces.flow(space, call, classes: call.option(ifPresent: "classes")).json.text())
    }

    static let space = Binding(
        module: "architecture", name: "space",
        options: [Option("run", .boolean, default: false, "run the script that makes the space, up to the place where it has made it")],
        returns: [Returns(.object("space"))], summary: "The space of the architecture: a stock trellis, or what the script makes again that its file keeps.",
        detail: "Nothing runs a script unasked: read it (space.script in the file) and say run = true. What the script does after it has made the space is not done.",
        example: sample + "print((select(2, pcall(space:random{seed = 1}.space, space:random{seed = 1})):match('script') ~= nil))  --> true"
    ) { call in
        let record = try call.this(as: ArchitectureObject.self).file().space
        if let trellis = record.trellis { return call.push(SpaceObject(try ModuleSpace(trellis.space(catalogue: ScriptOperators.catalogue), catalogue: { ScriptOperators.catalogue }))) }
        return call.push(try SpaceScripts.space(
            record, isAllowed: call.option("run"), at: "the architecture", how: "architecture:space{run = true}", call.thread))
    }
}
