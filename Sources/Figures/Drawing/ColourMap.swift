/// Colours for the numbers 0...1, interpolated between evenly spaced ones.
public struct ColourMap: Hashable, Sendable {
    public var name: String
    public var colours: [Colour]
    /// The colour of values that are no number.
    public var missing = Colour(0xD9D9D9)

    /// At least one colour is needed; without any, everything is grey.
    public init(name: String, _ hex: [UInt32]) {
        self.name = name
        colours = hex.isEmpty ? [Colour(0x808080)] : hex.map { Colour($0) }
    }

    /// The colour of `t`; outside 0...1 the nearer end, for NaN `missing`.
    public func callAsFunction(_ t: Double) -> Colour {
        guard !t.isNaN else { return missing }
        let position = max(0, min(1, t)) * Double(colours.count - 1)
        let index = min(Int(position), colours.count - 1)
        guard index + 1 < colours.count else { return colours[index] }
        return colours[index].mixed(with: colours[index + 1], position - Double(index))
    }

    /// The same colours the other way round.
    public var reversed: ColourMap {
        var map = self
        map.name = name + "_r"
        map.colours.reverse()
        return map
    }

    /// The part of the map between the shares `low` and `high`.
    public func cut(_ low: Double, _ high: Double) -> ColourMap {
        var map = self
        map.colours = (0...32).map { self(low + (high - low) * Double($0) / 32) }
        return map
    }

    /// The map called `name` ("viridis", "viridis_r" ...), or nil.
    public static func named(_ name: String) -> ColourMap? {
        let known = [viridis, inferno, blues, oranges, greys, redBlue]
        return known.first { $0.name == name } ?? known.first { $0.name + "_r" == name }?.reversed
    }

    /// Names that `named` knows, for messages.
    public static let names = ["viridis", "inferno", "blues", "oranges", "greys", "red_blue"]

    // viridis and inferno: N. Smith and S. van der Walt, published as CC0; every thirteenth and twenty-fifth colour.
    public static let viridis = ColourMap(
        name: "viridis",
        [
            0x440154, 0x481567, 0x482677, 0x453781, 0x404788, 0x39568C, 0x33638D, 0x2D708E, 0x287D8E, 0x238A8D,
            0x1F968B, 0x20A387, 0x29AF7F, 0x3CBB75, 0x55C667, 0x73D055, 0x95D840, 0xB8DE29, 0xDCE319, 0xFDE725,
        ])
    public static let inferno = ColourMap(
        name: "inferno",
        [0x000004, 0x160B39, 0x420A68, 0x6A176E, 0x932667, 0xBC3754, 0xDD513A, 0xF37819, 0xFCA50A, 0xF6D746, 0xFCFFA4])

    // The following are after ColorBrewer (C. Brewer, M. Harrower).
    public static let blues = ColourMap(
        name: "blues", [0xF7FBFF, 0xDEEBF7, 0xC6DBEF, 0x9ECAE1, 0x6BAED6, 0x4292C6, 0x2171B5, 0x08519C, 0x08306B])
    public static let oranges = ColourMap(
        name: "oranges", [0xFFF5EB, 0xFEE6CE, 0xFDD0A2, 0xFDAE6B, 0xFD8D3C, 0xF16913, 0xD94801, 0xA63603, 0x7F2704])
    public static let greys = ColourMap(name: "greys", [0xFFFFFF, 0xD9D9D9, 0x969696, 0x525252, 0x000000])
    /// For numbers with a sign: red below the middle, blue above.
    public static let redBlue = ColourMap(
        name: "red_blue",
        [0x67001F, 0xB2182B, 0xD6604D, 0xF4A582, 0xFDDBC7, 0xF7F7F7, 0xD1E5F0, 0x92C5DE, 0x4393C3, 0x2166AC, 0x053061])
}
