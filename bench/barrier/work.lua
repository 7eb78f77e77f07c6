-- SPDX-License-Identifier: Apache-2.0
-- Sorting, strings, tables, closures and calls, for bench/barrier-cost.
local hash = 0

local function note(value)
    hash = (hash * 31 + value) % 1000000007
end

local function fib(n)
    return n < 2 and n or fib(n - 1) + fib(n - 2)
end

for _ = 1, 6 do
    local numbers, seed = {}, 42
    for i = 1, 60000 do
        seed = (seed * 1103515245 + 12345) % 2147483648
        numbers[i] = seed
    end
    table.sort(numbers)
    note(numbers[1000])

    local words = {}
    for round = 1, 6 do
        for i = 1, 20000 do words[(i * 7919) % 50021] = tostring(i) .. "-" .. round end
        local length = 0
        for _, word in pairs(words) do length = length + #word end
        note(length)
    end

    local objects = {}
    for i = 1, 100000 do objects[i] = {x = i, y = i * 2, next = objects[i - 1]} end
    for _, object in ipairs(objects) do object.x = object.x + object.y; note(object.x) end
    note(fib(25))
end
print(hash)
