#!/bin/bash
# Checks the form of tutorials/*.lua; running them is the business of scripts/test. Each has to be a Jupytext percent script whose cells also
# work as chunks of their own: line comments only, every cell compiles by itself and has no local at the top level, so what runs as a script
# runs in a notebook.
set -u
cd "$(dirname "$0")/../.."
exec "${TRELLIS:-.build/release/trellis}" - tutorials/*.lua <<'LUA'
local wrong = 0
local function say(file, line, text)
  io.stderr:write(("%s:%d: %s\n"):format(file, line, text))
  wrong = wrong + 1
end

local function check(file)
  local cells, cell, number, text = {}, nil, 0, {}
  for line in io.lines(file) do
    number = number + 1
    text[number] = line
    local kind = line:match("^%-%- %%%%(.*)$")
    if kind then
      if kind ~= "" and kind ~= " [markdown]" then say(file, number, "a cell starts with '-- %%' or '-- %% [markdown]'") end
      cell = {prose = kind ~= "", first = number, lines = {}}
      cells[#cells + 1] = cell
    elseif not cell then
      -- Jupytext wants to know where there is more than ASCII.
      if number > 1 or line ~= "-- -*- coding: utf-8 -*-" then say(file, number, "something before the first cell") end
    else
      cell.lines[#cell.lines + 1] = line
      if cell.prose and line ~= "" and not line:find("^%-%-") then say(file, number, "code in a markdown cell") end
      if not cell.prose and line:find("^local ") then say(file, number, "a local at the top level does not reach the next cell of a notebook") end
    end
    if utf8.len(line) == nil or utf8.len(line) > 140 then say(file, number, "longer than 140 columns, or not UTF-8") end
    if line:find("--[[", 1, true) then say(file, number, "a block comment, which Jupytext does not understand") end
    if line:find("%s$") then say(file, number, "a space at the end") end
  end
  for _, cell in ipairs(cells) do
    local fine, message = load(("\n"):rep(cell.first) .. table.concat(cell.lines, "\n"), "@" .. file)
    if not fine then say(file, cell.first, message) end
  end
  local whole = table.concat(text, "\n")
  for _, part in ipairs{"\n-- # ", "\n-- ## Exercise\n", "\n-- ## Solution\n", "show(", "assert("} do
    if not whole:find(part, 1, true) then say(file, 1, "missing: " .. part:gsub("\n", "")) end
  end
  if #cells == 0 or not cells[1].prose or cells[#cells].prose then say(file, 1, "prose first, a cell that runs last") end
end

for _, file in ipairs(arg) do check(file) end
if wrong > 0 then os.exit(1) end
print(#arg .. " tutorials are well formed")
LUA
