import XCTest
@testable import Search
