-- Pieces of the pages that scripts write: one file each, which needs no network and no other file.
local M = {}

local style = [[
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222; background: #fff }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto } td, th { padding: 2px 9px; text-align: right; border-bottom: 1px solid #ddd }
td:first-child, th:first-child { text-align: left } svg { max-width: 100%; height: auto }
]]

--- A text as it is shown.
function M.escape(text) return (text:gsub("[&<>]", {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;"})) end

--- Rows of texts, the first one of headings.
function M.table(rows)
  local lines = {"<table>"}
  for k, cells in ipairs(rows) do
    local parts = {}
    for i, cell in ipairs(cells) do parts[i] = ("<%s>%s</%s>"):format(k == 1 and "th" or "td", M.escape(cell), k == 1 and "th" or "td") end
    lines[#lines + 1] = "<tr>" .. table.concat(parts) .. "</tr>"
  end
  return table.concat(lines, "\n") .. "\n</table>"
end

--- Saves a figure as PATH.svg and PATH.png and gives its SVG, to stand in a page.
function M.figure(figure, path)
  figure:save(path .. ".svg"):save(path .. ".png")
  local file = assert(io.open(path .. ".svg", "rb"))
  local text = file:read("a")
  file:close()
  return (text:gsub("^<%?xml.-%?>%s*", ""))
end

--- Writes a page of parts, pieces of HTML.
function M.write(path, title, parts)
  files.write(path, table.concat({
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>" .. M.escape(title) .. "</title><style>" .. style
      .. "</style></head><body>", "<h1>" .. M.escape(title) .. "</h1>", table.concat(parts, "\n"), "</body></html>",
  }, "\n") .. "\n")
end

--- Rows of texts in columns, for a terminal; the first column to the left, others to the right.
function M.aligned(rows)
  local widths, lines = {}, {}
  for _, cells in ipairs(rows) do for i, cell in ipairs(cells) do widths[i] = math.max(widths[i] or 0, #cell) end end
  for k, cells in ipairs(rows) do
    local parts = {}
    for i, cell in ipairs(cells) do parts[i] = i == 1 and cell .. (" "):rep(widths[i] - #cell) or (" "):rep(widths[i] - #cell) .. cell end
    lines[k] = table.concat(parts, "  ")
  end
  return table.concat(lines, "\n")
end

return M
