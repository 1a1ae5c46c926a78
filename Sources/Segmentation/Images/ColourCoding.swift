import Base

/// Label images that show each class in a colour: which colour stands for which label.
///
/// A pixel's colour is the one that a viewer shows: palettes are looked up, grey of 1, 2 and 4 bits is stretched to 8. Half transparent pixels
/// have the colour that is stored, as in other programs; those that are wholly transparent show none (what was wiped out keeps its old one in
/// the file) and are errors.
public struct ColourCoding: Sendable {
    private let labels: [Colour: UInt16]
    /// Stands for "no class" where labels are looked up.
    private static let none = UInt16.max

    /// - Parameters:
    ///   - classes: the colour of each class, in the order of their labels.
    ///   - ignored: colours of pixels that count nowhere.
    /// - Throws: `DataError` when a colour stands for two things.
    public init(classes: [Colour], ignored: [Colour] = []) throws(DataError) {
        var labels: [Colour: UInt16] = [:]
        for (label, colour) in classes.enumerated() {
            if let other = labels.updateValue(UInt16(label), forKey: colour) {
                throw DataError("the classes \(other) and \(label) both have the colour \(colour)", remedy: "give each class a colour of its own")
            }
        }
        for colour in ignored {
            if let label = labels.updateValue(LabelMap.ignore, forKey: colour), label != LabelMap.ignore {
                throw DataError("the colour \(colour) is that of class \(label), and is to be ignored", remedy: "leave one of the two out")
            }
        }
        self.labels = labels
    }

    /// A function that turns a row of stored samples of a PNG into labels.
    /// - Throws: `FileError` without a path for a kind of PNG that has no colours of 8 bits. The function throws it for a pixel without a class.
    func reader(_ png: PNG.Header) throws -> (_ y: Int, _ row: UnsafePointer<UInt8>, _ to: UnsafeMutablePointer<UInt16>) throws -> Void {
        guard png.depth <= 8 else {
            throw FileError("", "expected class colours of 8 bits a channel, got \(png.kind)", remedy: "save the labels with 8 bits a channel")
        }
        if png.channels >= 3 { return colours(png) }
        return png.palette != nil ? palette(png) : grey(png)
    }

    private typealias Reader = (Int, UnsafePointer<UInt8>, UnsafeMutablePointer<UInt16>) throws -> Void

    private func colours(_ png: PNG.Header) -> Reader {
        let key = png.key.map { Colour(UInt8($0[0] & 255), UInt8($0[1] & 255), UInt8($0[2] & 255)) }
        let hasAlpha = png.channels == 4
        return { y, row, to in
            var last: (colour: Colour, label: UInt16)?
            for x in 0..<png.size.width {
                let sample = row + x * png.channels
                let colour = Colour(sample[0], sample[1], sample[2])
                if hasAlpha && sample[3] == 0 || colour == key { throw transparent(png, y, x) }
                if last?.colour != colour {
                    guard let label = labels[colour] else { throw unknown(colour, png, y, x) }
                    last = (colour, label)
                }
                to[x] = last?.label ?? ColourCoding.none
            }
        }
    }

    private func palette(_ png: PNG.Header) -> Reader {
        let entries = png.palette ?? []
        let table = entries.map { $0.w > 0 ? labels[Colour($0.x, $0.y, $0.z)] ?? ColourCoding.none : ColourCoding.none }
        return { y, row, to in
            for x in 0..<png.size.width {
                let index = Int(row[x])
                guard index < table.count else {
                    throw FileError("", "the index \(index) at \(place(y, x)) is not in the palette of \(table.count) colours", remedy: "save the labels again")
                }
                guard table[index] != ColourCoding.none else {
                    let entry = entries[index]
                    throw entry.w > 0 ? unknown(Colour(entry.x, entry.y, entry.z), png, y, x) : transparent(png, y, x)
                }
                to[x] = table[index]
            }
        }
    }

    private func grey(_ png: PNG.Header) -> Reader {
        let stretch = 255 / ((1 << png.depth) - 1)
        let table = (0...255).map { labels[ColourCoding.grey($0, stretch)] ?? ColourCoding.none }
        let key = png.key.map { Int($0[0]) }
        return { y, row, to in
            for x in 0..<png.size.width {
                let value = Int(row[x * png.channels])
                if value == key || png.channels == 2 && row[2 * x + 1] == 0 { throw transparent(png, y, x) }
                guard table[value] != ColourCoding.none else { throw unknown(ColourCoding.grey(value, stretch), png, y, x) }
                to[x] = table[value]
            }
        }
    }

    private static func grey(_ value: Int, _ stretch: Int) -> Colour {
        let shown = UInt8(truncatingIfNeeded: value * stretch)
        return Colour(shown, shown, shown)
    }

    private func place(_ y: Int, _ x: Int) -> String { "row \(y + 1), column \(x + 1)" }

    private func unknown(_ colour: Colour, _ png: PNG.Header, _ y: Int, _ x: Int) -> FileError {
        let isNumber = png.channels < 3 && png.palette == nil
        return FileError(
            "", "the colour \(colour) at \(place(y, x)) belongs to no class (the file is \(png.kind))",
            remedy: isNumber ? "if these are class numbers, read them by number; else give that colour a class" : "give that colour a class, or ignore it")
    }

    private func transparent(_ png: PNG.Header, _ y: Int, _ x: Int) -> FileError {
        FileError(
            "", "the pixel at \(place(y, x)) is transparent and shows no colour (the file is \(png.kind))",
            remedy: "save the labels without transparency")
    }
}
