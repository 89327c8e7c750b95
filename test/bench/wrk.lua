-- What a connection asks for, one request after the other.
-- Arguments: kind (see paths and bodies), token or none, number of items or rows.
local kind, token, items

-- The path that a GET of each kind asks for.
local paths = {
  get = function() return "/api/v1/items/" .. math.random(items) end,
  page = function() return "/api/v1/items?limit=100" end,
  -- Of collections, which json-server has too.
  row = function() return "/todos/" .. math.random(items) end,
  filter = function() return "/todos?userId=" .. math.random(items / 10) end,
  group = function() return "/todos?groupId=" .. math.random(items / 100) end,
  sorted = function() return "/todos?_sort=title&_limit=10&_page=" .. math.random(10) end,
  guarded = function() return "/660/todos/" .. math.random(items) end,
  -- Of PocketBase.
  ["pocketbase get"] = function() return string.format("/api/collections/items/records/item%011d", math.random(items)) end,
  ["pocketbase page"] = function() return "/api/collections/items/records?perPage=100" end,
}
paths.mixed = paths.get

-- The path and the body of a POST of each kind.
local item = '{"itemname":"Item number 1234567","category":"Category 7","description":"A plain description of this item, as long as most are."}'
local bodies = {
  post = { "/api/v1/items", item },
  mixed = { "/api/v1/items", item },
  new = { "/todos", '{"userId":7,"groupId":7,"title":"lorem ipsum dolor sit amet","body":"A plain description of this row, as long as most are.","completed":false}' },
  ["guarded new"] = { "/660/todos", '{"groupId":7,"title":"lorem ipsum dolor sit amet","body":"A plain description of this row, as long as most are.","completed":false}' },
  ["pocketbase post"] = { "/api/collections/items/records", item },
}

local get, post, path, sent = nil, nil, nil, 0

function init(args)
  kind, token, items = args[1], args[2], tonumber(args[3])
  local signed = token ~= "none" and "Authorization: Bearer " .. token .. "\r\n" or ""
  local headers = " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\n" .. signed
  path, get = paths[kind], headers .. "\r\n"
  local to = bodies[kind]
  if to then
    post = "POST " .. to[1] .. headers .. "Content-Type: application/json\r\nContent-Length: " .. #to[2] .. "\r\n\r\n" .. to[2]
  end
end

function request()
  sent = sent + 1
  if post and (not path or sent % 10 == 0) then
    return post
  end
  return "GET " .. path() .. get
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format("\nRESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
