/// The classes of `Shapes`, in the order in which more classes add them.
enum ShapesClass: UInt8, CaseIterable {
    case sky, road, building, pole, tree, car, pavement, grass, person, fence, sign, water

    /// The classes of a set with `count` of them; two are the sky and all that is not.
    static func infos(_ count: Int) -> [ClassInfo] {
        count == 2 ? [ShapesClass.sky.info, ClassInfo("land", road.info.colour)] : allCases.prefix(count).map(\.info)
    }

    private var info: ClassInfo {
        switch self {
        case .sky: ClassInfo("sky", Colour(128, 178, 230))
        case .road: ClassInfo("road", Colour(128, 64, 128))
        case .building: ClassInfo("building", Colour(150, 40, 40))
        case .pole: ClassInfo("pole", Colour(235, 225, 140))
        case .tree: ClassInfo("tree", Colour(50, 120, 30))
        case .car: ClassInfo("car", Colour(70, 0, 150))
        case .pavement: ClassInfo("pavement", Colour(230, 90, 200))
        case .grass: ClassInfo("grass", Colour(150, 220, 110))
        case .person: ClassInfo("person", Colour(240, 60, 60))
        case .fence: ClassInfo("fence", Colour(200, 150, 110))
        case .sign: ClassInfo("sign", Colour(255, 190, 0))
        case .water: ClassInfo("water", Colour(0, 150, 170))
        }
    }
}
