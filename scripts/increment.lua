-- The load of scripts/wrk-ratio: increments of 1,000 keys in turn, each request ready made, so that wrk itself costs
-- as little as it can. Ends with one line for the script: requests a second, failures, microseconds at p50 and p99.

local keys = 1000
local requests = {}
local turn = 0

function init()
  local headers = { ["Content-Type"] = "application/json" }
  for k = 1, keys do
    local body = string.format('{"key":"page:%d","value":1}', k)
    requests[k] = wrk.format("POST", "/api/v1/increment", headers, body)
  end
end

function request()
  turn = turn % keys + 1
  return requests[turn]
end

function done(summary, latency)
  local e = summary.errors
  local failures = e.connect + e.read + e.write + e.timeout + e.status
  io.write(string.format("result %.0f %d %.0f %.0f\n", summary.requests * 1e6 / summary.duration, failures,
    latency:percentile(50), latency:percentile(99)))
end
