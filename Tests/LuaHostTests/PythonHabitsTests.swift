import CLua
import Tensors
import XCTest

@testable import LuaHost

/// What a person types who comes from Python gets an answer that says how it is written here.
final class PythonHabitsTests: XCTestCase {
    /// Runs a text and returns all that is said about it: warnings at load, the error with its hint, or the results.
    private func said(_ text: String, by host: ScriptHost) -> String {
        var lines = SourceWarnings.of(text).map(\.text)
        let outcome = host.evaluate(text, name: "=[1]") { L, first, count in lines += (0..<count).map { Stack.display(L, first + $0) } }
        switch outcome {
        case .done: break
        case .failed(let error), .incomplete(let error):
            lines += [error.message] + [ErrorHints.hint(for: error, in: host)].compactMap { $0 }
        case .interrupted: lines.append("interrupted")
        }
        return lines.joined(separator: "\n")
    }

    /// Names that the mistakes use.
    private func prepared() throws -> ScriptHost {
        let host = try ScriptHost(.standard)
        let names = """
            x, net = tensor.ones(2, 4), nn.sequential{nn.linear(4, 2), nn.relu()}
            sgd, set = optim.sgd(net:parameters(), {lr = 0.1}), data.shapes{}
            n, m, list = 1, 2, {}
            """
        guard case .done = host.evaluate(names, name: "=names") else { throw HostError("the names cannot be made") }
        return host
    }

    func testMistakes() throws {
        let host = try prepared()
        for (mistake, answer) in PythonHabitsTests.mistakes {
            let text = said(mistake, by: host)
            XCTAssert(text.contains(answer), "\(mistake)\n  wanted: \(answer)\n  said: \(text)")
        }
        host.close()
    }

    private static let mistakes: [(String, String)] = [
        ("local c = nn.Conv2d(3, 8)", "nn has no 'Conv2d'; here it is nn.conv2d(in, out, {kernel = 3, padding = 1})"),
        ("nn.BatchNorm2d(8)", "here it is nn.batch_norm(channels)"),
        ("nn.batchnorm(8)", "did you mean nn.batch_norm?"),
        ("nn.Module()", "nn.module{conv"),
        ("nn.CrossEntropyLoss()", "nn.cross_entropy(logits, labels"),
        ("nn.functional.softmax(x, 1)", "x:softmax(dimension)"),
        ("optim.SGD(net:parameters())", "here it is optim.sgd("),
        ("optim.Adam(net:parameters())", "optim.adam("),
        ("tensor.tensor{1, 2}", "tensor.from{"),
        ("tensor.zeroes(3)", "did you mean tensor.zeros?"),
        ("data.DataLoader(set)", "set:batches{size = 4}"),
        ("nas.trelis()", "did you mean nas.trellis?"),
        ("local y = x.mean()", "a method is called with a colon: x:mean(...)"),
        ("local y = x.matmul(x)", "a method is called with a colon: x:matmul(...)"),
        ("print(net.parameters())", "a method is called with a colon: x:parameters(...)"),
        ("nn:conv2d(3, 8, {kernel = 3})", "a function of a module is called with a dot: nn.conv2d(...)"),
        ("print(x.shape[0])", "sizes are counted from 1"),
        ("print(x:size()[0])", "sizes are counted from 1"),
        ("print(set[0])", "set:sample(i) is a sample, counted from 1"),
        ("print(net[0])", "modules are counted from 1"),
        ("print(x[0])", "indices start at 1"),
        ("print(x:numpy())", "tensor has no 'numpy'; here it is x:to_table()"),
        ("x:to(\"cuda\")", "Trellis computes on the CPU"),
        ("x:cuda()", "Trellis computes on the CPU"),
        ("net:to(\"cuda\")", "Trellis computes on the CPU"),
        ("print(x.T)", "x:t(), or x:transpose(1, 2)"),
        ("print(x.maen)", "did you mean x:mean()?"),
        ("print(x.shap)", "did you mean x.shape?"),
        ("print(x.ndim)", "x.rank"),
        ("print(net.weigth)", "module has no 'weigth'"),
        ("print(net:state_dict())", "net:state(); files: net:save"),
        ("net:forward(x)", "net(x)"),
        ("sgd:backward()", "loss:backward()"),
        ("x:shape()", "x.shape[1] is the first size"),
        ("print(x:count())", "'count' is a field, not a function"),
        ("torch.zeros(2, 3)", "torch.zeros is here: tensor.zeros(2, 3)"),
        ("torch.nn.functional.relu(x)", "torch.nn.functional.relu is here: x:relu()"),
        ("local y = torch.from_numpy(x)", "tensor.from"),
        ("np.array({1, 2})", "np.array is here: tensor.from"),
        ("F.interpolate(x)", "nn.functional.resize"),
        ("plt.plot({1, 2})", "plot.line"),
        ("require \"torch\"", "nothing has to be loaded"),
        ("n += 1", "Lua has no '+=': write n = n + ..."),
        ("if n != 1 then end", "'not equal' is written ~="),
        ("y = n ** 2", "a power is written with ^"),
        ("y = x[0:2]", "x[{{first, last}}]"),
        ("y = x[:, 0]", "x[{{first, last}}]"),
        ("y = x[1, 2]", "several indices go into a table"),
        ("y = x:sum(1, keepdim=True)", "options go into one table, last"),
        ("c = nn.conv2d(3, 8, kernel_size=3)", "options go into one table, last"),
        ("c = nn.conv2d(3, 8, {kernel_size = 3})", "unknown option 'kernel_size', here it is 'kernel'"),
        ("c = nn.conv2d(3, 8, 3)", "options have names: {kernel = ...}"),
        ("def f(x):", "local function f(...) ... end"),
        ("import torch", "nothing has to be imported"),
        ("from torch import nn", "nothing has to be imported"),
        ("import os.path", "local os = require \"os\""),
        ("class Net(nn.Module):", "nn.module{conv"),
        ("for i in range(10):", "for i = 1, n do ... end"),
        ("for i, v in enumerate(list):", "ipairs(list)"),
        ("if n > 0:", "if ... then ... end"),
        ("while True:", "while ... do ... end"),
        ("y = f\"loss {n}\"", "string.format"),
        ("y = [1, 2, 3]", "a list is written in braces"),
        ("y = [i for i in list]", "Lua has no comprehensions"),
        ("y = {\"a\": 1}", "a table is written {name = value}"),
        ("y = lambda v: v + 1", "function(x) return x + 1 end"),
        ("y = 1 if n else 2", "condition and a or b"),
        ("# a comment", "a comment begins with --"),
        ("if n is None then end", "x == nil"),
        ("if n && m then end", "a and b"),
        ("raise ValueError(\"x\")", "error(\"what is wrong\")"),
        ("with torch.no_grad():", "trellis.no_grad"),
        ("print(len(list))", "#x"),
        ("print(range(3))", "for i = 1, n do"),
        ("local t = {} t:append(1)", "list[#list + 1] = x"),
        ("print(\"a\" + \"b\")", "joined by two dots"),
        ("print(\"loss \" .. x)", "tostring(x)"),
        ("if x:gt(0) then end", "of a tensor 'x:gt(0)' is a mask"),
        ("while n and not x:lt(1) do break end", "x:lt(1):any()"),
        ("local c = nn.conv2d(3, 8, {kernel = 3, bias = False})", "'False' is a global variable that holds nil"),
        ("local c = None", "Lua writes nil"),
        ("nn.relu(x)", "nn.relu makes a layer and computes nothing by itself: write nn.relu()(x), or x:relu(...)"),
        ("nn.softmax(x)", "makes a layer"),
        ("optim.adam(net)", "its parameters are net:parameters()"),
        ("if x > 0 then end", "compared with lt, le, gt and ge"),
        ("net:load(\"weights.pth\")", "torch.load('weights.pth'"),
        ("tensor.load(\"weights.pt\")", "s.save_file"),
        ("nas.load(\"net.pth\")", "a file of PyTorch"),
        ("return help", "help() lists the modules"),
        ("return nas", "nas: Search spaces"),
        ("return trellis", "trellis: The host itself"),
        ("return nas.gallery", "nas.gallery: auto_deeplab"),
        ("local l = {1} print(l[0] + 1)", "lists count from 1"),
        ("tensor({1, 2})", "tensor.from{1, 2, 3}"),
        ("tensr.zeros(2)", "did you mean tensor?"),
        ("return x.shape[-1]", "4"),
        ("if x:", "if ... then ... end"),
        ("for p in net.parameters(): print(p)", "for i, value in ipairs(list) do"),
        ("for name, p in net.named_parameters():", "for key, value in pairs(table) do"),
        ("try: n() except: m()", "pcall(function()"),
        ("function f(v): return v end", "function f(x) ... end"),
        ("while True print(1)", "while ... do ... end"),
        ("if n = 1 then end", "compared by =="),
        ("y = (1, 2)", "Lua has no tuples"),
        ("tensor.randn((2, 3))", "a list in braces: {2, 3}"),
        ("f = v => v + 1", "function(x) return x + 1 end"),
        ("x:mean", "a method is called: x:mean()"),
        ("help nas", "help is a function: help(x)"),
        ("assert n == 1", "assert is a function: assert(x)"),
        ("\"a,b\".split(\",\")", "stands in brackets where its methods are called"),
        ("print(\"{}\".format(1))", "string.format(\"loss"),
        ("print(\"a\" * 3)", "(\"a\"):rep(3)"),
        ("print(\"loss %s\" % x)", "string.format(\"loss"),
        ("print(\"loss \" + x)", "joined by two dots"),
        ("y = {1, 2} + {3, 4}", "tensor.from{1, 2, 3}"),
        ("y = x + {1, 2, 3, 4}", "tensor.from{1, 2, 3}"),
        ("nn.cross_entropy(x, {1, 2})", "tensor.from{1, 2, 3}"),
        ("tensor.cat(x, x)", "go into a list: {x, y}"),
        ("for p in net:parameters() do end", "for name, p in pairs(net:parameters()) do"),
        ("for images, labels in set do end", "set:batches{size = 4}:pass()"),
        ("for v in {1, 2} do end", "ipairs(list)"),
        ("for i in 10 do end", "for i = 1, n do"),
        ("x:sum{dim = 1}", "'dim': dimensions is an argument, sum([dimensions] [, options])"),
        ("x:sum({axis = 1})", "dimensions is an argument"),
        ("tensor.zeros(2, 3, {device = \"cuda\"})", "Trellis computes on the CPU"),
        ("nn.conv2d(3, 8, 3, 1, 1)", "options have names: {kernel = ...}"),
        ("nn.conv2d(3, 8, {kernel = 3}, 1)", "nothing expected behind the options, got number"),
        ("nas.trellis(12, 5)", "options have names"),
        ("trellis.no_grad()", "a function, or what can be called as one"),
        ("trellis.manual_seed(1)", "did you mean tensor.manual_seed?"),
        ("nas.auto_deeplab", "did you mean nas.gallery.auto_deeplab?"),
        ("nas.supernet()", "did you mean space:supernet()?"),
        ("net:foward(x)", "did you mean 'forward'? Here it is net(x)"),
        ("nn.Conv2D(3, 8)", "did you mean nn.conv2d?"),
        ("x.y", "tensor has no 'y'; help \"tensor\""),
        ("x.grad:zero_()", "nil until loss:backward()"),
        ("y = x.shape == {2, 4}", "this is always false"),
        ("y = os.listdir(\".\")", "io.popen(\"ls\"):lines()"),
        ("y = os.path.join(\"a\", \"b\")", "joined by .."),
        ("y = random.random()", "math.random()"),
        ("y = json.load(\"x.json\")", "files.read_json(path)"),
        ("for b in tqdm(set) do end", "progress.bar{total = n}"),
        ("y = Image.open(\"x.png\")", "tensor.load(\"image.png\")"),
        ("print(sys.argv)", "arg for the arguments"),
    ]

    /// What is right must not be taken for one.
    func testRightTextsAreLeftAlone() throws {
        let host = try prepared()
        for text in [
            "if x:gt(0):any() then end", "if x:gt(0) == nil then end", "local b = x:gt(0) and 1", "if x:eq(1):sum():item() > 0 then end", "local t = {None = 1, True = 2} return t.None",
            "local True = 1 return True", "-- if x:gt(0) then\nreturn 1", "return 'if x:gt(0) then None'", "if pcall(function() return x:gt(0) end) then end",
            "return f{1} == 2", "return f 'x' {1} == 2", "return ({1})[1] == 1", "return '== {'",
        ] {
            XCTAssertEqual(SourceWarnings.of(text), [], text)
        }
        for text in [
            "return nn.linear(4, 2, {bias = false}).bias", "return x.grad", "return net[3]", "return nn.module{forward = print}.skip", "return x.shape[3]", "return rawget(nn, 'Conv2d')",
            "return net:parameters().nothing",
        ] {
            XCTAssertEqual(said(text, by: host), "nil", text)
        }
        XCTAssertEqual(said("local n = 0 for _ in pairs(nn) do n = n + 1 end return n > 20", by: host), "true")
        XCTAssertEqual(said("local names = {} for name in pairs(nas.gallery) do names[#names + 1] = name end return names[1]", by: host), "auto_deeplab")
        XCTAssertEqual(said("nn.mine = 7 return nn.mine", by: host), "7")
        host.close()
    }

    /// The names that the table of PyTorch gives are there.
    func testTheTableNamesWhatExists() throws {
        let host = try prepared()
        let modules = host.registry.modules
        for (_, rows) in PyTorchNames.page {
            for (name, here) in rows {
                let tokens = LuaTokens.of(here)
                for (i, token) in tokens.enumerated() where i + 2 < tokens.count && tokens[i + 1].isSymbol(".") {
                    guard let module = modules.first(where: { $0.name == token.text }), tokens[i + 2].kind == .name else { continue }
                    let member = tokens[i + 2].text, names = module.bindings.map(\.name) + module.constants.map(\.name)
                    XCTAssert(names.contains { $0.split(separator: ".").first.map(String.init) == member }, "\(name): \(module.name).\(member) does not exist")
                }
                for (i, token) in tokens.enumerated() where token.text == "x" && i + 2 < tokens.count && tokens[i + 1].isSymbol(":") {
                    XCTAssert(Tensor.objectType.methods.contains { $0.name == tokens[i + 2].text }, "\(name): x:\(tokens[i + 2].text) does not exist")
                }
            }
        }
        let page = Help(host).about(name: "pytorch")
        for word in ["nn.BatchNorm2d", "torch.cat", "x:to_table()", "trellis.no_grad", "DataLoader"] { XCTAssert(page.contains(word), word) }
        host.close()
    }
}
