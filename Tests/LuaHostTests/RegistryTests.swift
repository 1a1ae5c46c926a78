import XCTest

@testable import LuaHost

/// Arguments, options, fields and errors as a script sees them.
final class RegistryTests: XCTestCase {
    func testMessages() throws {
        let host = try TestHost()
        host.expect("boxes.conv(boxes.new(1), nil)", error: "[t]:1: bad argument #2 to 'conv' (box expected, got nil)")
        host.expect("boxes.conv(boxes.new(1))", error: "[t]:1: bad argument #2 to 'conv' (box expected, got no value)")
        host.expect("boxes.conv(io.stdout)", error: "[t]:1: bad argument #1 to 'conv' (box expected, got FILE*)")
        host.expect("boxes.new(2, 1.5)", error: "[t]:1: bad argument #2 to 'new' (number has no integer representation)")
        host.expect("boxes.new({2, 'x'})",
            error: "[t]:1: bad argument #1 to 'new' (integer or list of integers expected, element 2 is a string)")
        host.expect("boxes.new(1):add(3)", error: "[t]:1: bad argument #1 to 'add' (box expected, got number)")
        host.expect("local b = boxes.new(1); b.add(b, 3)", error: "[t]:1: bad argument #2 to 'add' (box expected, got number)")
        host.expect("boxes.new(1).add()", error: "[t]:1: bad argument #1 to 'add' (box expected, got no value; a method is called with a colon: x:add(...))")
        host.expect("local b = boxes.new(1); local t = setmetatable({}, {__index = {add = b.add}}); t:add(b)",
            error: "[t]:1: calling 'add' on bad self (box expected, got table)")
        host.expect("return boxes.new(1) + {}", error: "[t]:1: bad operand #2 to '+' (box or number expected, got table)")
        host.expect("boxes.new(1)('x')", error: "[t]:1: bad argument #1 to 'box' (number expected, got string)")
        host.expect("boxes.new(1):fail()", error: "[t]:1: shape mismatch 3 vs 1")
        host.expect("boxes.new(1):nothing()", error: "[t]:1: box has no 'nothing'; help \"box\" lists what it has")
        host.expect("boxes.nothing()", error: "[t]:1: boxes has no 'nothing'; help(boxes) lists what is there")
    }

    func testOptions() throws {
        let host = try TestHost()
        let b = "local b = boxes.new(1); "
        host.expect(b + "boxes.conv(b, b, {kernal = 3})",
            error: "[t]:1: bad argument #3 to 'conv' (unknown option 'kernal', did you mean 'kernel'?)")
        host.expect(b + "boxes.conv(b, b, nil, {zzz = 3})",
            error: "[t]:1: bad argument #4 to 'conv' (unknown option 'zzz', there are kernel, padding, groups)")
        host.expect(b + "boxes.conv(b, b, {kernel = 'x'})",
            error: "[t]:1: bad argument #3 to 'conv' (option 'kernel': integer expected, got string)")
        host.expect("boxes.new(1, {dtype = 'float64'})",
            error: "[t]:1: bad argument #2 to 'new' (option 'dtype': one of 'float32', 'int32' expected, got 'float64')")
        host.expect(b + "return boxes.conv(b, b, {kernel = 5})", "5", "false")
        host.expect(b + "return boxes.conv(b, b, {kernel = 5.0})", "5", "false")
        host.expect(b + "return boxes.conv(b, b, b)", "3", "true")
        host.expect(b + "return boxes.conv(b, b, b, {})", "3", "true")
        host.expect(b + "return boxes.conv(b, b, nil, nil)", "3", "false")
        host.expect("return boxes.new(2, 3), boxes.new{2, 3}, boxes.new({4}, {value = 2}).value", "box(2x3)", "box(2x3)", "2.0")
        host.expect("return boxes.new(), boxes.new{}, boxes.new{value = 3}.value", "box()", "box()", "3.0")
    }

    func testFieldsAndOperators() throws {
        let host = try TestHost()
        host.expect("local b = boxes.new(2, 3); b.value = 4; return b.value, b.shape[2], b[1], b[3]",
            "4.0", "3", "2", "nil")
        host.expect("return boxes.new(1).valeu", error: "[t]:1: box has no 'valeu'; did you mean box.value?")
        host.expect("return rawget(boxes, 'nothing'), boxes._VERSION", "nil", "nil")
        host.expect("boxes.mine = 3; return boxes.mine, tostring(boxes.gallery)", "3", "boxes.gallery: small")
        host.expect("boxes.new(1).shape = 3", error: "[t]:1: field 'shape' of a box can only be read")
        host.expect("boxes.new(1).colour = 3", error: "[t]:1: no field 'colour' to set in a box")
        host.expect("boxes.new(1).value = 'x'", error: "[t]:1: bad value for field 'value' (number expected, got string)")
        host.expect("return (1 + boxes.new{value = 2}).value, (boxes.new{value = 2} + 1).value", "3.0", "3.0")
        host.expect("return boxes.new{value = 2}(4)", "8.0")
        host.expect("return getmetatable(boxes.new())", "box")
        host.expect("local b = boxes.new(); return b == b, b == boxes.new()", "true", "false")
        host.expect("return boxes.unit == boxes.unit, boxes.gallery.small, require 'boxes' == boxes", "true", "7", "true")
        host.expect("local b = boxes.new(); b:free(); return b:add(b)", error: "[t]:1: calling 'add' on bad self (box used after free)")
        host.expect("local b = boxes.new(); local c <close> = b; do local d <close> = b end; return boxes.map(print, b)",
            error: "[t]:1: bad argument #2 to 'map' (box used after free)")
    }

    func testPlainData() throws {
        let host = try TestHost()
        host.expect("local t = boxes.echo{1, 2.5, 'x', {y = true}, [10] = 'ten'}; return #t, t[2], t[3], t[4].y, t[10]",
            "4", "2.5", "x", "true", "ten")
        host.expect("local t = {7}; local copy = boxes.echo{t, a = t}; return copy[1][1], copy.a[1]", "7", "7")
        host.expect("local f = boxes.echo(function(a) return a, 2 end); return f(1)", "1", "2")
    }
}
