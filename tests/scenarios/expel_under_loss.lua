-- The promise of the whole: whatever the network loses and whenever the PF dies, an expulsion ends with every remaining member
-- holding the MSK that is on air, and nobody else. Eight clients of a service without a session; up to three pushes of ten are
-- lost and as many late, up to a third of what TCP sends goes again, one client may be in a tunnel, one or two are
-- expelled at a moment of chance, and in one run of four the PF crashes meanwhile.
--                                                                     MBMS-1, MBMS-2, MBMS-7, MBMS-8, MBMS-9, POC-17
--
--     pocsim run tests/scenarios/expel_under_loss.lua --seed 1 --runs 10000

scenario "An expulsion on a bad network ends well"

channel("fire", { group = false, gate = "hold", max_back_off_s = 2 })
local members, gone = {}, {}
for i = 1, 8 do
    members[i] = client("radio" .. i, { keeps_keys = i > 6 })
    members[i]:bootstrap()
    members[i]:register("fire")
end
local function everybody_is(state)
    local conditions = {}
    for i, radio in ipairs(members) do
        conditions[i] = radio:is(state)
    end
    return all(table.unpack(conditions))
end
wait_for(everybody_is("registered"), 60000, "eight registrations")
wait_for(everybody_is("keyed"), 60000, "eight clients keyed")

net { loss = chance(0, 0.3), push_loss = chance(0, 0.3), push_reorder = chance(0, 0.3), air_loss = chance(0, 0.1),
    delay_ms = chance(5, 60), jitter_ms = chance(0, 60) }
local tunnel = members[1]
if chance(0, 1) < 0.3 then
    tunnel:coverage(false)
end
source:play("fire", { ms = 1000 })
wait(chance(0, 300))

local function expel_last()
    gone[#gone + 1] = table.remove(members)
    pf:expel("fire", gone[#gone])
end
expel_last()
if chance(0, 1) < 0.5 then
    wait(chance(0, 3000))
    expel_last()
end
if chance(0, 1) < 0.25 then
    wait(chance(20, 2000)) -- what the operator ordered is on the disk
    pf:crash()
    wait(chance(100, 2000))
    pf:restart()
end
for _, radio in ipairs(gone) do
    radio:pull("fire") -- he tries
end
wait(chance(0, 8000))
tunnel:coverage(true)
wait(chance(0, 3000))
wait_for(everybody_is("keyed"), 120000, "everybody who stays keyed")
wait(10000)
source:play("fire", { ms = 200 })
wait(1000)
wait_for(everybody_is("keyed"), 120000, "everybody who stays keyed still")
expect.holders("fire", table.unpack(members))
for _, radio in ipairs(gone) do
    expect.played_after_switch(radio, 0)
end
