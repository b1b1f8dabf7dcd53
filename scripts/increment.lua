-- The load of scripts/ratios: increments of 1,000 keys in turn, each request ready made, so that wrk itself costs
-- as little as it can. BATCH=1000 puts so many into each request. Ends with one line for the script: requests a second, failures,
-- microseconds at p50 and p99.

local keys = 1000
local batch = tonumber(os.getenv("BATCH") or "1")
local requests = {}
local turn = 0

local function body(k)
  return string.format('{"key":"page:%d","value":1}', k)
end

local function many(first)
  local items = {}
  for i = 1, batch do
    items[i] = body((first + i - 2) % keys + 1)
  end
  return "[" .. table.concat(items, ",") .. "]"
end

function init()
  local headers = { ["Content-Type"] = "application/json" }
  if batch > 1 then
    requests[1] = wrk.format("POST", "/api/v1/increments", headers, many(1))
    return
  end
  for k = 1, keys do
    requests[k] = wrk.format("POST", "/api/v1/increment", headers, body(k))
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local e = summary.errors
  local failures = e.connect + e.read + e.write + e.timeout + e.status
  io.write(string.format("result %.0f %d %.0f %.0f\n", summary.requests * 1e6 / summary.duration, failures,
    latency:percentile(50), latency:percentile(99)))
end
