import Figures
import Tensors

/// A profile as Lua holds it.
public final class ProfileObject: LuaObject {
    let profile: PlanProfile
    init(_ profile: PlanProfile) { self.profile = profile }

    public static let objectType = ObjectType(
        "profile", of: ProfileObject.self, summary: "Where the time of tensor operations went, see `trellis.profile`.",
        detail: "Printed it shows three tables: by operation, by module with numbers merged (what a candidate operator costs in all cells together), and by place in "
            + "the network. GFLOP/s are by the direct count of multiply-adds.",
        methods: [operations, modules, figure],
        fields: [
            Field("seconds", .number, "In tensor operations.", of: { (p: ProfileObject) in p.profile.total.seconds }),
            Field("elapsed", .number, "Seconds from start to end: also scripts, data, compiling.", of: { (p: ProfileObject) in p.profile.elapsed }),
            Field("runs", .integer, "Runs of plans.", of: { (p: ProfileObject) in p.profile.runs }),
            Field("calls", .integer, "Operations and kernels that ran.", of: { (p: ProfileObject) in p.profile.total.calls }),
        ],
        unique: true, describe: { ProfileReport(profile: $0.profile).text() })

    private static let start = """
        local net = nn.sequential{nn.conv2d(3, 8, {kernel = 3}), nn.batch_norm(8), nn.relu()}
        local p = trellis.profile(function() net(tensor.ones(1, 3, 16, 16)) end)

        """

    private func push(_ call: Call, _ rows: [PlanProfile.Row]) -> Int {
        let report = ProfileReport(profile: profile)
        return call.push(LuaValue.table(LuaTable(list: rows.map { name, entry in
            var fields: [String: LuaValue] = [
                "name": .string(name), "seconds": .number(entry.seconds), "share": .number(report.share(entry)), "calls": .integer(entry.calls),
                "multiply_adds": .integer(entry.multiplyAdds),
            ]
            if let rate = ProfileReport.rate(entry) { fields["gflops"] = .number(rate) }
            return .table(LuaTable(fields: fields))
        })))
    }

    private static let rows = Returns(.list(.table), "{name, seconds, share, calls, multiply_adds, gflops} of each, most time first")

    private static let operations = Binding(
        module: "profile", name: "operations", returns: [rows], summary: "Time by operation.",
        detail: "'(fused)' are kernels that a plan made do the work of several operations, '(by image)' operations that it runs one behind the other "
            + "for each image, in the module that they have in common. What optimisers do after a plan is 'optimiser'.",
        example: start + "print(p:operations()[1].calls > 0)  --> true"
    ) { call in
        let this: ProfileObject = try call.this()
        return this.push(call, this.profile.byOperation)
    }

    private static let depthOption = Option("depth", .integer, default: 3, "names of a path that count, 0: all")

    private static func depth(_ call: Call) throws -> Int {
        let depth: Int = try call.option("depth")
        guard depth >= 0 else { throw call.badOption("depth", "0 or more expected, got \(depth)") }
        return depth
    }

    private static let modules = Binding(
        module: "profile", name: "modules",
        options: [depthOption, Option("merge", .boolean, default: true, "take modules whose paths differ in numbers only as one")], returns: [rows],
        summary: "Time by module.", detail: "With depth 3, cells.3.block.2.1.sep_conv_3x3.depthwise1 counts as cells.*.block.*.*.sep_conv_3x3.",
        example: start + "for _, m in ipairs(p:modules()) do print(m.name, m.share) end"
    ) { call in
        let this: ProfileObject = try call.this()
        return this.push(call, this.profile.byModule(depth: try depth(call), merge: try call.option("merge")))
    }

    private static let figure = Binding(
        module: "profile", name: "figure", options: [depthOption, Option("rows", .integer, default: 16, "bars of a table")] + PlotValues.labels,
        returns: [Returns(.object("figure"))], summary: "The tables as bars.", example: start + "p:figure():save('profile.svg')"
    ) { call in
        let rows: Int = try call.option("rows")
        guard (1...200).contains(rows) else { throw call.badOption("rows", "1 to 200 expected, got \(rows)") }
        let report = ProfileReport(profile: try call.this(as: ProfileObject.self).profile, depth: try depth(call), rows: rows)
        return try PlotValues.push(call, report.figure(title: call.option(ifPresent: "title")))
    }

    /// `trellis.profile`.
    static let binding = Binding(
        module: "trellis", name: "profile", parameters: [Argument("f", .function, "is called once, without arguments")], returns: [Returns(.object("profile"))],
        summary: "Runs a function and tells where the time of its tensor operations goes, by operation and by module.",
        detail: "Compiled functions are timed kernel by kernel, other operations as they are called; each belongs to the module in which it was written. The first call of a "
            + "compiled function also records and compiles: call it once before. `trellis profile script.lua` does the same for a whole script.",
        example: """
            local net = nn.sequential{nn.conv2d(3, 8, {kernel = 3}), nn.relu(), nn.conv2d(8, 2, {kernel = 1})}
            local x = tensor.ones(1, 3, 32, 32)
            local p = trellis.profile(function() for i = 1, 10 do net(x) end end)
            print(p.calls, p:modules{merge = false}[1].name ~= '')  --> 30\ttrue
            """
    ) { call in
        let function: LuaFunction = try call.get(1)
        let profile = PlanProfile()
        try profile.measure { _ = try function.call() }
        return call.push(ProfileObject(profile))
    }
}
