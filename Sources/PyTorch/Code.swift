/// A piece of Python in which values are not named yet.
struct Code {
    enum Piece {
        case text(String)
        case value(Int)
    }

    /// How tightly it holds together, so that what is put around it knows whether it needs parentheses.
    enum Binding: Int, Comparable {
        case comparison, sum, product, power, atom
        static func < (a: Binding, b: Binding) -> Bool { a.rawValue < b.rawValue }
    }

    var pieces: [Piece]
    var binding = Binding.atom
    /// A call of a module: written so, where it is a statement of its own.
    var isCall = false

    init(_ pieces: [Piece], _ binding: Binding = .atom) {
        self.pieces = pieces
        self.binding = binding
    }

    static func text(_ text: String, _ binding: Binding = .atom) -> Code { Code([.text(text)], binding) }
    static func value(_ value: Int) -> Code { Code([.value(value)]) }

    /// Characters, names counted as short ones.
    var length: Int { pieces.reduce(0) { if case .text(let text) = $1 { $0 + text.count } else { $0 + 3 } } }

    var values: [Int] { pieces.compactMap { if case .value(let value) = $0 { value } else { nil } } }

    /// In parentheses unless it binds at least so tightly.
    func bound(_ least: Binding) -> Code { binding >= least ? self : Code([.text("(")] + pieces + [.text(")")]) }

    func text(_ names: [Int: String]) -> String {
        pieces.map { if case .text(let text) = $0 { text } else if case .value(let value) = $0 { names[value] ?? "?" } else { "" } }.joined()
    }

    static func joined(_ codes: [Code], _ separator: String) -> [Piece] {
        Array(codes.map(\.pieces).joined(separator: [.text(separator)]))
    }

    /// `name(arguments)`.
    static func call(_ name: String, _ arguments: [Code]) -> Code { Code([.text(name + "(")] + joined(arguments, ", ") + [.text(")")]) }

    /// `x.name(arguments)`.
    static func method(_ x: Code, _ name: String, _ arguments: [Code] = []) -> Code {
        Code(x.bound(.atom).pieces + [.text(".\(name)(")] + joined(arguments, ", ") + [.text(")")])
    }

    /// `a sign b`, left to right.
    static func infix(_ a: Code, _ sign: String, _ b: Code, _ binding: Binding) -> Code {
        let tighter = Binding(rawValue: binding.rawValue + 1) ?? .atom
        return Code(a.bound(binding == .comparison ? tighter : binding).pieces + [.text(" \(sign) ")] + b.bound(tighter).pieces, binding)
    }
}

/// A line of a function.
struct Statement {
    /// What is assigned; nothing for the last one, which returns.
    var targets: [Int]
    var code: Code
    /// A name for the result, where it deserves one.
    var name: String?
    /// Behind the line.
    var comment: String?
}
