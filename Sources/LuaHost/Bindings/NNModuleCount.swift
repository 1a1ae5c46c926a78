import Networks

/// How large a network is, as Lua holds it.
final class ModuleCountObject: LuaObject {
    let count: ModuleCount
    init(_ count: ModuleCount) { self.count = count }

    static let objectType = ObjectType(
        "count", of: ModuleCountObject.self, summary: "How large a network is and what it computes; prints as a table by part.",
        fields: [
            Field("parameters", .integer, "Trained numbers.", of: { (c: ModuleCountObject) in c.count.parameters }),
            Field("tensors", .integer, "Tensors that hold them.", of: { (c: ModuleCountObject) in c.count.tensors }),
            Field("buffers", .integer, "Numbers that no optimiser changes: running statistics.", of: { (c: ModuleCountObject) in c.count.buffers }),
            Field(
                "multiply_adds", .integer, "Of one evaluation: those of convolutions and matrix products; nil without an input's size.", optional: true,
                get: { call in call.push(try call.this(as: ModuleCountObject.self).count.work?.multiplyAdds) }),
            Field("parts", .list(.table), "{name, parameters, multiply_adds} of each part.", of: { (c: ModuleCountObject) in
                c.count.parts.map { part in
                    var fields: [String: LuaValue] = ["name": .string(part.name), "parameters": .integer(part.parameters)]
                    if let count = part.multiplyAdds { fields["multiply_adds"] = .integer(count) }
                    return LuaValue.table(LuaTable(fields: fields))
                }
            }),
        ],
        rich: { RichTables.count($0.count) }, describe: { $0.count.description })

    static let method = Binding(
        module: "module", name: "count",
        options: [
            Option("height", .integer, "of an image"), Option("width", .integer, "of an image; both, or none"),
            Option("channels", .integer, default: 3, "of an image"), Option("input", .list(.integer), "whole shape of another input"),
        ],
        returns: [Returns(.object("count"))], summary: "How large the network is and what it computes.",
        detail: """
            With the size of an image [1, channels, height, width], or the shape of any input, also multiply-adds: the network is written down in evaluation mode, without \
            computing anything. Prints as a table by part.
            """,
        example: """
            print(nn.linear(10, 5):count().parameters)  --> 55
            local net = nn.sequential{nn.conv2d(3, 8, {kernel = 3, stride = 2, padding = 1}), nn.relu()}
            print(net:count({height = 96, width = 128}).multiply_adds)  --> 663552
            """
    ) { call in
        let height: Int? = try call.option(ifPresent: "height")
        let width: Int? = try call.option(ifPresent: "width")
        var shape: [Int]? = try call.option(ifPresent: "input")
        guard (height == nil) == (width == nil) else { throw call.badOption(height == nil ? "height" : "width", "height and width expected, or none of them") }
        if let height, let width {
            guard shape == nil else { throw call.badOption("input", "either the size of an image or a whole shape expected") }
            shape = [1, try call.option("channels"), height, width]
        }
        if let shape, shape.isEmpty || shape.contains(where: { !(1...65_536).contains($0) }) {
            throw call.badOption(height == nil ? "input" : "height", "sizes from 1 to 65536 expected, got \(Shape.text(shape))")
        }
        return call.push(ModuleCountObject(try call.this(as: Module.self).count(input: shape)))
    }
}
