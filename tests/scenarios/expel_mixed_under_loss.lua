-- The same promise as expel_under_loss, for a PoC session in which some have a session, some have registered over HTTP, and some
-- have both: whatever is lost, an expulsion by the Controlling Function or by the operator ends with every remaining member
-- holding the MSK that is on air, and nobody else.                        MBMS-1, MBMS-8, MBMS-9, POC-10, POC-17, POC-20
--
--     pocsim run tests/scenarios/expel_mixed_under_loss.lua --seed 1 --runs 10000

scenario "An expulsion of a mixed channel on a bad network ends well"

local ways = { "sip", "push", "both" }
channel("dispatch", { admit = "authenticated", delivery = ways[math.floor(chance(1, 3.999))], gate = "hold", max_back_off_s = 2 })
local by_sip, by_http, gone = {}, {}, {}
for i = 1, 4 do
    by_sip[i] = client("radio" .. i, { keeps_keys = i == 4 })
    by_http[i] = client("user" .. i, { keeps_keys = i == 4 })
    by_sip[i]:bootstrap()
    by_sip[i]:join("dispatch")
    by_http[i]:bootstrap()
    by_http[i]:register("dispatch")
end
local function everybody()
    return table.unpack(table.move(by_http, 1, #by_http, #by_sip + 1, table.move(by_sip, 1, #by_sip, 1, {})))
end
local function everybody_is(state)
    local conditions = {}
    for i, radio in ipairs { everybody() } do
        conditions[i] = radio:is(state)
    end
    return all(table.unpack(conditions))
end
wait_for(everybody_is("keyed"), 60000, "eight clients keyed")
by_sip[2]:register("dispatch") -- has both ways
wait_for(all(by_sip[2]:is("registered"), by_http[1]:is("registered"), by_http[2]:is("registered"),
    by_http[3]:is("registered"), by_http[4]:is("registered")), 60000, "five registrations")
by_sip[1]:talk { ms = 1000 }
wait(500)

net { loss = chance(0, 0.3), push_loss = chance(0, 0.3), push_reorder = chance(0, 0.3), air_loss = chance(0, 0.1),
    delay_ms = chance(5, 60), jitter_ms = chance(0, 60), reorder = chance(0, 0.2) }
local tunnel = by_http[1]
if chance(0, 1) < 0.3 then
    tunnel:coverage(false)
end
local function expel_by_cf()
    gone[#gone + 1] = table.remove(by_sip)
    cf:expel(gone[#gone])
end
local function expel_by_operator()
    gone[#gone + 1] = table.remove(by_http)
    pf:expel("dispatch", gone[#gone])
end
local first, second = expel_by_cf, expel_by_operator
if chance(0, 1) < 0.5 then
    first, second = second, first
end
first()
if chance(0, 1) < 0.5 then
    wait(chance(0, 3000))
    second()
end
if chance(0, 1) < 0.25 then
    wait(chance(20, 2000))
    pf:crash()
    wait(chance(100, 2000))
    pf:restart()
end
wait(chance(0, 8000))
tunnel:coverage(true)
net { loss = 0.05, push_loss = chance(0, 0.2) }
wait(40000) -- SIP gives up on a lost BYE only then
wait_for(everybody_is("keyed"), 120000, "everybody who stays keyed")
by_sip[1]:talk { ms = 400 }
wait(2000)
wait_for(everybody_is("keyed"), 120000, "everybody who stays keyed still")
expect.holders("dispatch", everybody())
for _, radio in ipairs(gone) do
    expect.played_after_switch(radio, 0)
end
