-- The promise of the whole, for MuSiKs: whatever the network loses and whenever the PF dies, an expulsion ends with every remaining member
-- holding the MuSiK that is on air, and nobody else. Five users, one of them of another KMS; up to a third of all SIP messages is lost and as many are late; one
-- may be in a tunnel; one or two are expelled at a moment of chance; meanwhile somebody may bring another CSK or come new, the operator may order a rekey, and in one run of three the PF crashes.
--                                                    MCX-1, MCX-7, MCX-13, MCX-21, MCX-22, MCX-23, MCX-31; POC-10, POC-17
--
--     pocsim run tests/scenarios/mcx_under_loss.lua --seed 1 --runs 10000

scenario "MuSiKs on a bad network end well"

local gate = chance(0, 1) < 0.7 and "hold" or "continue"
musik("north", { gate = gate, deadline_ms = math.floor(chance(500, 5000)), interval_s = chance(0, 1) < 0.3 and 20 or 0,
    on_leave = chance(0, 1) < 0.3 and "always" or "never", on_join = chance(0, 1) < 0.2 })
local ways = { "register", "publish", "third-party" }
local members, gone = {}, {}
for i = 1, 5 do
    members[i] = client("radio" .. i, { mcx = true, keeps_keys = i > 3, hides_identity = i == 2, neighbour = i == 3 })
    members[i]:provision()
end
local guest = client("alice", { mcx = true })
guest:provision()

net { loss = chance(0, 0.3), reorder = chance(0, 0.3), air_loss = chance(0, 0.1), delay_ms = chance(5, 60), jitter_ms = chance(0, 60) }
for i, radio in ipairs(members) do
    radio:upload(ways[i % 3 + 1])
    wait(chance(0, 500))
end
local function everybody_is(state, channel)
    local conditions = {}
    for i, radio in ipairs(members) do
        conditions[i] = radio:is(state, channel)
    end
    return all(table.unpack(conditions))
end
wait_for(everybody_is("authorised"), 300000, "five accepted")
wait_for(everybody_is("keyed", "north"), 300000, "five keyed")
wait_for(everybody_is("listening", "north"), 300000, "five listening")

local tunnel = members[1]
if chance(0, 1) < 0.3 then
    tunnel:coverage(false)
end
local function floor_control(ms)
    local stop = now() + ms
    while now() < stop do
        source:floor("north")
        wait(40)
    end
end
floor_control(chance(100, 1000))

local function expel_last()
    gone[#gone + 1] = table.remove(members)
    pf:expel("north", gone[#gone])
end
if chance(0, 1) < 0.2 then
    pf:rekey("north")
    floor_control(chance(0, 3000))
end
if chance(0, 1) < 0.3 then
    members[2]:upload(ways[math.floor(chance(1, 3.99))])
    floor_control(chance(0, 500))
end
expel_last()
floor_control(chance(0, 500))
if chance(0, 1) < 0.3 then
    guest:upload("publish")
    members[#members + 1], guest = guest, nil
    table.insert(members, 1, table.remove(members)) -- not the next to be expelled
end
if chance(0, 1) < 0.5 then
    floor_control(chance(0, 3000))
    expel_last()
end
if chance(0, 1) < 0.33 then
    floor_control(chance(20, 2000)) -- what the operator ordered is on the disk
    pf:crash()
    wait(chance(100, 2000))
    pf:restart()
end
for _, radio in ipairs(gone) do
    radio:upload("publish") -- he tries
end
floor_control(chance(0, 5000))
tunnel:coverage(true)
net { loss = chance(0, 0.1) }
wait_for(everybody_is("authorised"), 300000, "everybody who stays accepted")
wait_for(everybody_is("keyed", "north"), 300000, "everybody who stays keyed")
wait_for(everybody_is("listening", "north"), 300000, "everybody who stays listening")
wait(10000)
floor_control(1000)
wait(1000)
wait_for(everybody_is("keyed", "north"), 300000, "everybody who stays keyed still")
expect.holders("north", table.unpack(members))
for _, radio in ipairs(gone) do
    expect.played_after_switch(radio, 0)
end
