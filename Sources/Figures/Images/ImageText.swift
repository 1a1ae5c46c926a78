/// Images in characters: half blocks in colour (two pixels a character), shades without; label maps without colour as letters.
enum ImageText {
    static func render(_ grid: ImageGrid, _ style: TextStyle) -> String {
        var parts: [String] = []
        if let title = grid.title { parts.append(style.fitted(title, style.width)) }
        for row in grid.rows where !row.isEmpty { parts.append(line(row, grid.palette, style)) }
        if grid.rows.joined().isEmpty { parts.append("no images") }
        if grid.legend, let key = legend(grid, style) { parts.append(key) }
        return parts.joined(separator: "\n")
    }

    /// A row of images side by side, captions below.
    private static func line(_ tiles: [ImageTile], _ palette: LabelPalette, _ style: TextStyle) -> String {
        let width = max(4, min(64, (style.width - tiles.count + 1) / tiles.count))
        var grid = TextGrid(width: style.width)
        // A character is about twice as high as wide, so a line of characters stands for two lines of pixels.
        let heights = tiles.map { max(1, (width * $0.height + $0.width) / (2 * $0.width)) }
        for (index, tile) in tiles.enumerated() {
            let x = index * (width + 1)
            draw(tile, palette, style, &grid, x, width, heights[index])
            if !tile.caption.isEmpty { grid.write(style.fitted(tile.caption, width), x, heights.max() ?? 0) }
        }
        return grid.text(style)
    }

    private static func draw(
        _ tile: ImageTile, _ palette: LabelPalette, _ style: TextStyle, _ grid: inout TextGrid, _ x0: Int, _ width: Int, _ height: Int
    ) {
        if style.hasColour {
            let picture = shrunk(tile.composed(palette), width, style.isUnicode ? 2 * height : height, smooth: tile.image != nil)
            for y in 0..<height {
                for x in 0..<width {
                    if style.isUnicode {
                        grid[x0 + x, y] = TextGrid.Cell(character: "▀", ink: picture[x, 2 * y], ground: picture[x, 2 * y + 1])
                    } else {
                        grid[x0 + x, y] = TextGrid.Cell(character: " ", ground: picture[x, y])
                    }
                }
            }
        } else if let labels = tile.labels {
            for y in 0..<height {
                for x in 0..<width {
                    let (column, row) = ((2 * x + 1) * labels.width / (2 * width), (2 * y + 1) * labels.height / (2 * height))
                    let label = labels.labels[row * labels.width + column]
                    grid[x0 + x, y].character = palette.void.contains(label) ? " " : letter(label)
                }
            }
        } else {
            let picture = shrunk(tile.composed(palette), width, height, smooth: true)
            let ramp: [Character] = style.isUnicode ? [" ", "░", "▒", "▓", "█"] : Array(" .:-=+*#%@")
            for y in 0..<height {
                for x in 0..<width {
                    let level = Int(picture[x, y].luminance.squareRoot() * Double(ramp.count))
                    grid[x0 + x, y].character = ramp[max(0, min(ramp.count - 1, level))]
                }
            }
        }
    }

    /// The letter of a class in text without colours.
    private static func letter(_ label: UInt8) -> Character {
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        return letters[Int(label) % letters.count]
    }

    private static func legend(_ grid: ImageGrid, _ style: TextStyle) -> String? {
        var present = Set<UInt8>()
        for tile in grid.rows.joined() { present.formUnion(tile.labels?.labels ?? []) }
        let shown = present.subtracting(grid.palette.void).sorted()
        guard !shown.isEmpty else { return nil }
        var text = TextGrid(width: style.width)
        var (x, y) = (0, 0)
        for label in shown {
            let name = style.fitted(grid.palette.name(label), style.width - 4)
            if x > 0, x + name.columns + 2 > style.width { (x, y) = (0, y + 1) }
            if style.hasColour {
                let colour = grid.palette.colour(label)
                text[x, y] = style.isUnicode ? TextGrid.Cell(character: "■", ink: colour) : TextGrid.Cell(character: " ", ground: colour)
            } else {
                text[x, y].character = letter(label)
            }
            text.write(name, x + 2, y)
            x += name.columns + 5
        }
        return text.text(style)
    }

    /// The picture in another size, by averages over the pixels of each new one, or the middle one.
    static func shrunk(_ image: RGBAImage, _ width: Int, _ height: Int, smooth: Bool) -> RGBAImage {
        var result = RGBAImage(width: width, height: height)
        for y in 0..<height {
            for x in 0..<width {
                var columns = (x * image.width / width)..<max(x * image.width / width + 1, (x + 1) * image.width / width)
                var rows = (y * image.height / height)..<max(y * image.height / height + 1, (y + 1) * image.height / height)
                if !smooth {
                    columns = (columns.lowerBound + columns.upperBound - 1) / 2..<(columns.lowerBound + columns.upperBound - 1) / 2 + 1
                    rows = (rows.lowerBound + rows.upperBound - 1) / 2..<(rows.lowerBound + rows.upperBound - 1) / 2 + 1
                }
                var sums = [0, 0, 0, 0]
                for v in rows {
                    for u in columns {
                        for c in 0..<4 { sums[c] += Int(image.pixels[4 * (v * image.width + u) + c]) }
                    }
                }
                for c in 0..<4 { result.pixels[4 * (y * width + x) + c] = UInt8(sums[c] / (rows.count * columns.count)) }
            }
        }
        return result
    }
}
