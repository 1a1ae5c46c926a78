import Base
import Tensors

/// An RGB colour of 8 bits a channel.
public struct Colour: Hashable, Sendable, CustomStringConvertible {
    public var red: UInt8
    public var green: UInt8
    public var blue: UInt8

    public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    public var description: String { "(\(red), \(green), \(blue))" }

    /// Colour `index` of PASCAL VOC's palette: the index's bits spread over the channels, so that neighbours differ.
    /// Source: the VOC development kit's `VOClabelcolormap`.
    public static func palette(_ index: Int) -> Colour {
        var (red, green, blue): (UInt8, UInt8, UInt8) = (0, 0, 0)
        var rest = index
        for shift in stride(from: UInt8(7), through: 0, by: -1) where rest > 0 {
            red |= UInt8(rest & 1) << shift
            green |= UInt8(rest >> 1 & 1) << shift
            blue |= UInt8(rest >> 2 & 1) << shift
            rest >>= 3
        }
        return Colour(red, green, blue)
    }
}

/// A class of a data set.
public struct ClassInfo: Hashable, Sendable {
    public var name: String
    /// How the class is drawn.
    public var colour: Colour
    /// The number that saved label images give the class, as the data set's own files and its evaluation have it; nil where it is the
    /// class's place in the list.
    public var id: UInt8?

    public init(_ name: String, _ colour: Colour, id: UInt8? = nil) {
        self.name = name
        self.colour = colour
        self.id = id
    }

    /// `count` classes named by their number.
    public static func numbered(_ count: Int) -> [ClassInfo] { (0..<count).map { ClassInfo("class \($0)", .palette($0 + 1)) } }
}

extension [ClassInfo] {
    /// The number of each class in saved label images.
    public var outputIds: [UInt8] { enumerated().map { $1.id ?? UInt8(truncatingIfNeeded: $0) } }

    /// 256 colours for label images that hold `outputIds`: a class's colour at its id, white at 255 (ignore) unless a class is there, else
    /// black.
    public var palette: [Colour] {
        var colours = [Colour](repeating: Colour(0, 0, 0), count: 256)
        colours[Int(LabelMap.ignore)] = Colour(255, 255, 255)
        for (info, id) in zip(self, outputIds) { colours[Int(id)] = info.colour }
        return colours
    }
}

extension LabelMap {
    /// The map drawn in the classes' colours; ignored pixels and unknown labels black.
    public func coloured(_ classes: [ClassInfo]) throws -> Image {
        try Image(size: size, pixels: [UInt8](repeating: 0, count: size.count * 3)).overlaid(self, classes, opacity: 1)
    }
}

extension Image {
    /// The image with labels over it in the classes' colours; pixels that are ignored or of no class stay as they are.
    /// - Parameter opacity: share of the colour, 0 to 1.
    /// - Throws: `FileError` when there is not the memory for another image.
    public func overlaid(_ labels: LabelMap, _ classes: [ClassInfo], opacity: Double) throws -> Image {
        precondition(labels.size == size, "labels and image differ in size")
        try Memory.check(pixels.count, toHold: "an image of \(size)")
        let tables = classes.map { info in
            [info.colour.red, info.colour.green, info.colour.blue].map { Image.mixed(Double($0), opacity) }
        }
        var image = self
        image.pixels.withUnsafeMutableBufferPointer { pixels in
            labels.values.withUnsafeBufferPointer { labels in
                for index in labels.indices where Int(labels[index]) < tables.count {
                    let table = tables[Int(labels[index])]
                    for channel in 0..<3 { pixels[3 * index + channel] = table[channel][Int(pixels[3 * index + channel])] }
                }
            }
        }
        return image
    }

    /// What becomes of each of the 256 values under one of a colour.
    private static func mixed(_ colour: Double, _ opacity: Double) -> [UInt8] {
        (0...255).map { (value: Int) -> UInt8 in
            let before = Double(value)
            return UInt8((before + (colour - before) * opacity).rounded())
        }
    }
}
