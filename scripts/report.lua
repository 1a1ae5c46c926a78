-- Makes one HTML page about a search: settings, curves, beta and alpha over time, the found architecture, its cost, images.
--
--   scripts/trellis scripts/report.lua search            writes search/report.html; also while the search runs
--   scripts/trellis scripts/report.lua search page.html  writes page.html
local run, path = arg[1], arg[2]
if not run or run:sub(1, 1) == "-" or arg[3] then
  print("usage: trellis scripts/report.lua RUN [PAGE]\n\n  RUN   directory of a run of scripts/search.lua, done or not\n  PAGE  what is written  [RUN/report.html]")
  os.exit(run and run:match("^%-%-?h") and 0 or 2)
end
print(nas.report(run, {path = path}))
