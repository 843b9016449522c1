-- wrk's requests are a random choice of a file's lines: METHOD PATH [BODY].
-- Prints, after wrk's own report:
--   bench REQUESTS_PER_S P99_US FAILED        (FAILED: errors, not 2xx or 3xx)
local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("number", threads)
end

function init(args)
    math.randomseed(os.time() * 100 + number)
    requests = {}
    for line in io.lines(args[1]) do
        local method, path, body = line:match("^(%S+) (%S+) ?(.*)$")
        local headers = {}
        if body ~= "" then
            headers["Content-Type"] = "application/json"
        else
            body = nil
        end
        requests[#requests + 1] = wrk.format(method, path, headers, body)
    end
end

function request()
    return requests[math.random(#requests)]
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format("bench %.1f %d %d\n",
        summary.requests / summary.duration * 1e6, latency:percentile(99),
        e.connect + e.read + e.write + e.timeout + e.status))
end
