import Search

/// Decoding by a function of a script: the options `score` and `candidates`.
enum ScoredDecodingOptions {
    static let all = [
        Option("score", .function, "of an architecture, returns a number, higher is better; nil passes it over"),
        Option("candidates", .integer, "with `score`: how many of the most probable are scored, 64 when left out"),
    ]

    static let detail = """
        With `score` the most probable `candidates` are found so, and those are scored, in that order: all architectures where there are no more, which the last result tells. \
        The function may put the supernet at what it scores (net:at(a)); it is where it was afterwards.
        """

    static let example = """
        local a, score, how = net:decode{score = function(a) return a.op == 'skip_connect' and 1 or 0 end}
        print(a.op, score, how.tried, how.all)  --> skip_connect\t1.0\t2\ttrue

        """

    private static let usual = 64

    /// nil where no score is given.
    static func score(_ net: SupernetObject, _ call: Call) throws -> (candidates: Int, function: (Assignment) throws -> Double?)? {
        let candidates: Int? = try call.option(ifPresent: "candidates")
        guard let function: LuaFunction = try call.option(ifPresent: "score") else {
            guard candidates == nil else { throw call.badOption("candidates", "means something with a score only; count = \(candidates ?? 0) gives so many of the most probable") }
            return nil
        }
        let count: Int = try call.option(ifPresent: "count") ?? 1
        return (candidates ?? max(usual, count), { assignment in
            let results = try function.call(net.architecture(assignment))
            if results.first?.isNil ?? true { return nil }
            guard results.count == 1, let number = results[0].number else {
                throw call.badOption("score", "the function should return one number, or nil for an architecture that is passed over, got \(results.map(\.typeName).joined(separator: ", "))")
            }
            return number
        })
    }
}
