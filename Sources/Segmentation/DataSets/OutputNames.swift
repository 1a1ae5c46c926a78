/// Names for what is written about the samples of a set.
enum OutputNames {
    /// A file name for each of some different paths without ending: the last part where that tells all of them apart, as evaluation servers
    /// expect, else the whole path with dashes for slashes, with its number if even these clash.
    static func unique(_ stems: [String]) -> [String] {
        let last = stems.map { stem in stem.split(separator: "/").last.map(String.init) ?? stem }
        if Set(last).count == last.count { return last }
        let whole = stems.map { $0.replacing("/", with: "-") }
        if Set(whole).count == whole.count { return whole }
        return whole.enumerated().map { "\($1)-\($0 + 1)" }
    }
}
