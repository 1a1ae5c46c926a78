/// The colours and sizes that figures share.
public struct Theme: Hashable, Sendable {
    /// Font family asked of fontconfig; DejaVu comes with Debian's libcairo, so it is there on a bare machine.
    public var fontFamily = "DejaVu Sans"
    /// Size of ordinary labels in drawing units; titles and small print are derived from it.
    public var fontSize = 12.0
    public var background = Colour.white
    /// Text and strong lines.
    public var ink = Colour(0x222222)
    /// Secondary text.
    public var muted = Colour(0x666666)
    /// Axis lines and outlines.
    public var outline = Colour(0x8A8A8A)
    /// Grid lines and faint fills.
    public var grid = Colour(0xE4E4E4)
    /// Marks the decoded path and other results.
    public var accent = Colour(0xD55E00)
    /// Colours of series, told apart with any of the common kinds of colour blindness.
    public var palette = Theme.okabeIto
    /// Colours of numbers without sign.
    public var sequential = ColourMap.viridis

    /// The light theme.
    public init() {}

    /// Dark ink on white: for paper, and the default.
    public static let light = Theme()

    /// Light ink on a dark ground, for dark notebooks.
    public static let dark: Theme = {
        var theme = Theme()
        theme.background = Colour(0x16181D)
        theme.ink = Colour(0xE8E8E8)
        theme.muted = Colour(0xA6A6A6)
        theme.outline = Colour(0x7D828C)
        theme.grid = Colour(0x33373F)
        theme.accent = Colour(0xFF8C42)
        theme.palette = [
            Colour(0x56B4E9), Colour(0xE69F00), Colour(0x2FC69B), Colour(0xFF7F50), Colour(0xE29AC6), Colour(0xF0E442),
            Colour(0x8FA3FF), Colour(0xC8C8C8),
        ]
        return theme
    }()

    /// The palette of M. Okabe and K. Ito, "Color Universal Design" (2008), in an order that puts the pale yellow late.
    public static let okabeIto = [
        Colour(0x0072B2), Colour(0xE69F00), Colour(0x009E73), Colour(0xD55E00), Colour(0xCC79A7), Colour(0x56B4E9),
        Colour(0x4D4D4D), Colour(0xC9B800),
    ]

    /// The colour of series `index`; colours come again after the last, when the dash pattern changes.
    public func series(_ index: Int) -> Colour { palette.isEmpty ? ink : palette[index % palette.count] }

    /// The dash pattern of series `index`: solid for the first round of the palette.
    public func dash(_ index: Int) -> [Double] {
        let patterns: [[Double]] = [[], [6, 3], [2, 2.5], [8, 3, 2, 3]]
        return patterns[(index / max(1, palette.count)) % patterns.count]
    }

    /// Fonts of labels, small print, numbers in cells, headings inside a figure, and the figure's title.
    public var label: Font { Font(family: fontFamily, size: fontSize) }
    public var small: Font { Font(family: fontFamily, size: fontSize * 0.85) }
    public var tiny: Font { Font(family: fontFamily, size: fontSize * 0.72) }
    public var strong: Font { Font(family: fontFamily, size: fontSize, bold: true) }
    public var title: Font { Font(family: fontFamily, size: fontSize * 1.2, bold: true) }
}
