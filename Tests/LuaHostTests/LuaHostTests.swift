import XCTest
@testable import LuaHost
