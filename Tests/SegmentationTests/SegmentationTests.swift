import XCTest
@testable import Segmentation
