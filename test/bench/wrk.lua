-- What a connection asks for, one request after the other.
-- Arguments: kind (get, page, post or mixed; of collections row, filter, group, sorted
-- or new), token or none, number of items.
local kind, token, items

local function headers(more)
  local signed = token ~= "none" and "Authorization: Bearer " .. token .. "\r\n" or ""
  return "\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\n" .. signed .. more .. "\r\n"
end

-- What is asked of a collection, by kind.
local function collection(n)
  if kind == "row" then return "/todos/" .. math.random(n) end
  if kind == "filter" then return "/todos?userId=" .. math.random(n / 10) end
  if kind == "group" then return "/todos?groupId=" .. math.random(n / 100) end
  if kind == "sorted" then return "/todos?_sort=title&_limit=10&_page=" .. math.random(10) end
end

local get, page, post, sent = nil, nil, nil, 0

function init(args)
  kind, token, items = args[1], args[2], tonumber(args[3])
  get = " HTTP/1.1" .. headers("")
  page = "GET /api/v1/items?limit=100 HTTP/1.1" .. headers("")
  local body = '{"itemname":"Item number 1234567","category":"Category 7","description":"A plain description of this item, as long as most are."}'
  local path = "/api/v1/items"
  if kind == "new" then
    path = "/todos"
    body = '{"userId":7,"groupId":7,"title":"lorem ipsum dolor sit amet","body":"A plain description of this row, as long as most are.","completed":false}'
  end
  post = "POST " .. path .. " HTTP/1.1" .. headers("Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n") .. body
end

function request()
  sent = sent + 1
  if kind == "new" or kind == "post" or kind == "mixed" and sent % 10 == 0 then
    return post
  end
  if kind == "page" then
    return page
  end
  local path = collection(items)
  if path then
    return "GET " .. path .. get
  end
  return "GET /api/v1/items/" .. math.random(items) .. get
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format("\nRESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
