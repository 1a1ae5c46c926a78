import CLua
import Networks
import Search
import Tensors

/// `nas.space`.
enum SpaceFunction {
    static let binding = Binding(
        module: "nas", name: "space",
        parameters: [
            Argument("build", .function, "of a table; returns a module, in whose making decisions occur"),
            Argument("context", .table, optional: true, "what the table holds besides: classes, sizes"),
        ], returns: [Returns(.object("space"))], summary: "A search space: a function that builds a network in which named decisions occur.",
        detail: """
            The function is run for the supernet, with all options, and for the network of an architecture, with what was chosen; its argument has `derived`, whether it is the \
            latter, `affine`, the same, and what you give. It must make the same decisions each time. Counts, sampling, the supernet, the network of an architecture and costs \
            follow from the decisions.
            """,
        example: DecisionObject.sample + "print(space:count(), #space.decisions)  --> 2\t1"
    ) { call in
        let build: LuaFunction = try call.get(1)
        let context = try call.has(2) ? call.value(2).table : nil
        let anchor = LuaAnchor(call.thread), kept = build.kept(by: anchor)
        let space = try ModuleSpace(classes: context?["classes"].integer) { told in
            var table = context ?? LuaTable()
            table.fields["derived"] = .boolean(told.isDerived)
            table.fields["affine"] = .boolean(told.isDerived)
            if let classes = told.classes { table.fields["classes"] = .integer(classes) }
            return try kept.call(LuaValue.table(table), returning: Module.self, expected: .object("module"), from: "the function of nas.space")
        }
        return call.push(try SpaceScripts.made(space, by: build, anchor, call))
    }
}
