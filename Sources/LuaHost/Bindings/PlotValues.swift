import Figures
import Tensors

/// Numbers, names and series as scripts give them: tables or tensors.
enum PlotValues {
    static let numbers: Kind = .union([.list(.any), .tensor])

    /// A list of numbers or a tensor without regard to its shape; what is no number is a gap.
    static func list(_ value: LuaValue) throws -> [Double]? {
        if let tensor: Tensor = value.object() { return try tensor.floats().map(Double.init) }
        guard let table = value.table, table.fields.isEmpty, table.others.isEmpty else { return nil }
        var result: [Double] = []
        for item in table.list {
            if let number = item.number {
                result.append(number)
            } else if let tensor: Tensor = item.object(), tensor.count == 1 {
                result.append(try tensor.item())
            } else if item.isNil || item.boolean == false {
                result.append(.nan)
            } else {
                return nil
            }
        }
        return result
    }

    /// Rows of numbers: a matrix, or lists in a list.
    static func rows(_ value: LuaValue) throws -> [[Double]]? {
        if let tensor: Tensor = value.object() {
            guard tensor.rank == 2 else { return nil }
            let values = try tensor.floats().map(Double.init), width = tensor.shape[1]
            return (0..<tensor.shape[0]).map { Array(values[($0 * width)..<(($0 + 1) * width)]) }
        }
        guard let table = value.table, table.fields.isEmpty else { return nil }
        var result: [[Double]] = []
        for item in table.list {
            guard let row = try list(item) else { return nil }
            result.append(row)
        }
        return result
    }

    /// `{name = values}` by name, or `{{name, values}, ...}` in order.
    static func named(_ value: LuaValue) -> [(name: String, value: LuaValue)]? {
        guard let table = value.table, table.others.isEmpty else { return nil }
        var result: [(name: String, value: LuaValue)] = []
        for item in table.list {
            guard let pair = item.table, let name = pair[1].string ?? pair["name"].string else { return nil }
            // {name =, x =, y =} or {name, values}.
            result.append((name, pair[2].isNil ? item : pair[2]))
        }
        return result + table.fields.sorted { NamedTensors.natural($0.key, $1.key) }.map { ($0.key, $0.value) }
    }

    /// A series of a chart: values over 1, 2, 3 ... or over `x`, or a table {x =, y =}.
    static func series(_ name: String, _ value: LuaValue, x: [Double]?, style: Series.Style, _ failure: (String) -> any Error) throws -> Series {
        var values = value, x = x, style = style
        if let table = value.table, !table["y"].isNil {
            values = table["y"]
            if !table["x"].isNil { x = try list(table["x"]) }
            if let text = table["style"].string {
                guard let known = Series.Style(rawValue: text) else { throw failure("series '\(name)': the style is line, dots or both, got '\(text)'") }
                style = known
            }
        }
        guard let y = try list(values) else { throw failure("series '\(name)': a list of numbers, a tensor, or {x =, y =} expected") }
        guard let x else { return Series(name, y, style: style) }
        return try Series(name, x: x, y: y, style: style)
    }

    static let labels = [Option("title", .string, "above the figure"), Option("theme", .choice(["light", "dark"]), default: "light", "colours")]
    static let axes = [
        Option("x_label", .string, default: "", "below"), Option("y_label", .string, default: "", "on the left"),
        Option("x_log", .boolean, default: false, "logarithmic axis"), Option("y_log", .boolean, default: false, "logarithmic axis"),
        Option("x_range", .list(.number), "{least, most}"), Option("y_range", .list(.number), "{least, most}"),
        Option("width", .number, default: 520, "in CSS pixels"), Option("height", .number, default: 320, "in CSS pixels"),
    ]

    static func axis(_ call: Call, _ name: String) throws -> Axis {
        try Axis(call.option(name + "_label"), scale: call.option(name + "_log") ? .log : .linear, range: range(call, name + "_range"))
    }

    static func range(_ call: Call, _ name: String) throws -> ClosedRange<Double>? {
        guard let ends: [Double] = try call.option(ifPresent: name) else { return nil }
        guard ends.count == 2, ends[0] < ends[1], ends.allSatisfy(\.isFinite) else { throw call.badOption(name, "{least, most} expected, got \(ends)") }
        return ends[0]...ends[1]
    }

    static func size(_ call: Call) throws -> Figures.Size {
        let width: Double = try call.option("width"), height: Double = try call.option("height")
        guard (1...8000).contains(width), (1...8000).contains(height) else { throw call.badOption("width", "1 to 8000 expected for width and height") }
        return Figures.Size(width, height)
    }

    static func push(_ call: Call, _ figure: any Figure) throws -> Int {
        call.push(FigureObject(try call.option("theme") == "dark" ? figure.themed(.dark) : figure))
    }
}
