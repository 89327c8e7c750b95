-- What a connection asks for, one request after the other.
-- Arguments: kind (get, page, post or mixed), token, number of items.
local kind, token, items

local function headers(more)
  return "\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\nAuthorization: Bearer " .. token .. "\r\n" .. more .. "\r\n"
end

local get, page, post, sent = nil, nil, nil, 0

function init(args)
  kind, token, items = args[1], args[2], tonumber(args[3])
  get = " HTTP/1.1" .. headers("")
  page = "GET /api/v1/items?limit=100 HTTP/1.1" .. headers("")
  local body = '{"itemname":"Item number 1234567","category":"Category 7","description":"A plain description of this item, as long as most are."}'
  post = "POST /api/v1/items HTTP/1.1" .. headers("Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n") .. body
end

function request()
  sent = sent + 1
  if kind == "post" or kind == "mixed" and sent % 10 == 0 then
    return post
  end
  if kind == "page" then
    return page
  end
  return "GET /api/v1/items/" .. math.random(items) .. get
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format("\nRESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
