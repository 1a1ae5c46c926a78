/// An sRGB colour with opacity; components are in 0...1.
public struct Colour: Hashable, Sendable {
    public var red, green, blue, alpha: Double

    /// A colour by its components in 0...1.
    public init(red: Double, green: Double, blue: Double, alpha: Double = 1) {
        self.red = red
        self.green = green
        self.blue = blue
        self.alpha = alpha
    }

    /// `Colour(0xD55E00)` is the colour written `#D55E00` on the web.
    public init(_ hex: UInt32, alpha: Double = 1) {
        self.init(
            red: Double((hex >> 16) & 0xFF) / 255, green: Double((hex >> 8) & 0xFF) / 255, blue: Double(hex & 0xFF) / 255,
            alpha: alpha)
    }

    public static let black = Colour(0x000000)
    public static let white = Colour(0xFFFFFF)

    /// The same colour with another opacity.
    public func opacity(_ alpha: Double) -> Colour {
        var colour = self
        colour.alpha = alpha
        return colour
    }

    /// The colour a share `t` in 0...1 of the way to `other`.
    public func mixed(with other: Colour, _ t: Double) -> Colour {
        func mix(_ a: Double, _ b: Double) -> Double { a + (b - a) * t }
        return Colour(
            red: mix(red, other.red), green: mix(green, other.green), blue: mix(blue, other.blue), alpha: mix(alpha, other.alpha))
    }

    /// Relative luminance, 0 for black and 1 for white (WCAG 2).
    public var luminance: Double {
        func linear(_ v: Double) -> Double {
            // A quadratic stands in for the sRGB curve; it is only used to choose between light and dark ink.
            v * v
        }
        return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    /// Black or white, whichever reads better on this colour.
    public var ink: Colour { luminance > 0.3 ? Colour(0x1A1A1A) : .white }

    /// The components as bytes, without opacity.
    public var bytes: (red: UInt8, green: UInt8, blue: UInt8) {
        func byte(_ v: Double) -> UInt8 { UInt8(max(0, min(255, (v * 255).rounded()))) }
        return (byte(red), byte(green), byte(blue))
    }
}
