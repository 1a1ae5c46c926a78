import Networks

extension DataSet {
    /// Tells this set's samples from others by their names (of files without their directories: a set may be moved), in their order.
    public func fingerprint() throws -> String {
        let names = (0..<count).map { index -> Substring in
            let source = source(index)
            return source.utf8.lastIndex(of: UInt8(ascii: "/")).map { source[source.utf8.index(after: $0)...] } ?? source[...]
        }
        return try RunIdentity.make((names + (recipe.isEmpty ? [] : [recipe[...]])).joined(separator: "\n"))
    }
}
