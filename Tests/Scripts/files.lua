-- Directories, whole files and locks, as scripts have them.
files.make_directory("a/b/c")
files.make_directory("a/b/c")
files.make_directory("-dash/--more")
files.make_directory("with 'quotes' and $(words)")
files.write("-dash/--more/x", "1")
files.write("with 'quotes' and $(words)/x", "")
files.write("bytes", "\xff\0\xfe\r\n")
local function contents(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end
same(contents("bytes") == "\xff\0\xfe\r\n", true)
same(contents("with 'quotes' and $(words)/x"), "")
fails("a/b: expected the name of a file, got a directory", function() files.write("a/b", "x") end)
fails("create the directory first", function() files.write("nowhere/x", "x") end)
fails("bytes is a file", function() files.make_directory("bytes/below") end)
fails("expected the name of a directory, got an empty one", function() files.make_directory("") end)
-- A symbolic link stays one, and so do permissions.
os.execute("ln -s bytes link && chmod 640 bytes")
files.write("link", "new")
same(contents("bytes"), "new")
same(io.popen("stat -c %a bytes; stat -c %F link"):read("a"), "640\nsymbolic link\n")
-- All writers are one: a link to a file that is not there yet stays a link, whatever writes.
local net = nn.conv2d(3, 2, {kernel = 1})
local architecture = nas.gallery.auto_deeplab
local set = data.shapes{images = 1, size = {16, 16}, classes = 2, seed = 1}
local writers = {
  ["n.safetensors"] = function(path) net:save(path) end, ["n.npz"] = function(path) net:save(path) end, ["t.npy"] = function(path) tensor.ones(2):save(path) end,
  ["c.safetensors"] = function(path) checkpoint.save(path, {x = 1}) end, ["a.json"] = function(path) architecture:save(path) end,
  ["n.onnx"] = function(path) net:export(path, {height = 8, width = 8}) end, ["l.png"] = function(path) set:save_labels(select(2, set:sample(1)), path) end,
  ["o.jpg"] = function(path) net:segment(set:sample(1), {overlay = path}) end,
}
for _, ending in ipairs{"svg", "png", "pdf", "txt"} do
  writers["f." .. ending] = function(path) plot.curves({{"x", {1, 2}}}):save(path) end
end
files.make_directory("links")
files.make_directory("targets")
for name, write in pairs(writers) do
  assert(os.execute(("ln -s ../targets/%s links/%s"):format(name, name)))
  for turn = 1, 2 do
    write("links/" .. name)
    same(io.popen(("stat -c %%F links/%s"):format(name)):read(), "symbolic link", name)
    assert(#contents("targets/" .. name) > 0, name)
    if turn == 1 then assert(os.execute("chmod 604 targets/" .. name)) end
  end
  same(io.popen("stat -c %a targets/" .. name):read(), "604", name)
end
same(io.popen("ls -A links targets | grep -e tmp -e part | wc -l"):read(), "0")

-- Locks.
local lock = files.lock("a")
same(tostring(lock), "lock on a")
assert(contents("a/run.lock"):find("^process %d+\nhost .+\nsince 20%d%d%-"))
files.lock("a"):release()
assert(io.open("a/run.lock"), "the first still holds")
lock:release()
lock:release()
assert(not io.open("a/run.lock"))
files.write("a/run.lock", "process 12\nhost elsewhere-7\nsince 2020-01-02 03:04:05 UTC\n")
fails("a: process 12 on elsewhere-7 writes into it since 2020-01-02 03:04:05 UTC; whether it still runs cannot be seen from here; if it does not, remove a/run.lock",
  function() files.lock("a") end)
fails("nowhere: cannot lock the directory", function() files.lock("nowhere") end)

-- A NUL would end the name.
for _, f in ipairs{
  function(path) files.write(path, "x") end, files.make_directory, files.lock, tensor.load, nas.load, nas.network, checkpoint.load,
  function(path) tensor.save(path, {a = tensor.ones(1)}) end, function(path) nn.linear(1, 1):save(path) end, function(path) nn.linear(1, 1):load(path) end,
  function(path) optim.adam(nn.linear(1, 1):parameters()):save(path) end, function(path) data.folder{images = path, classes = 2} end,
} do fails("string without NUL expected, got 'nul", function() f("nul\0.safetensors") end) end
assert(not io.open("nul"))
files.write("nul.txt", "any\0bytes")
same(contents("nul.txt"), "any\0bytes")
