-- The MuSiK changes every fifteen seconds, announced for the time at which everybody switches. Floor control goes on all the time, and
-- nobody misses a message. Carol, who comes in the middle of it, is given the MuSiK that is to come, and hears from the switch on.             MCX-7, MCX-13, MCX-22
--
--   PF -> members  MESSAGE: the next MuSiK, its activation time                                                       MCX-22
--   PF -> air      at that time: everything under the next one

scenario "A new MuSiK every fifteen seconds"

musik("north", { interval_s = 5, lifetime_s = 60, deadline_ms = 10000 })
local alice, bob, late = client("alice", { mcx = true }), client("bob", { mcx = true }), client("carol", { mcx = true })

for _, radio in ipairs { alice, bob, late } do
    radio:bootstrap()
    radio:provision()
    wait_for(radio:is("provisioned"), 60000, radio:name() .. " provisioned")
end
alice:upload("publish")
bob:upload("register")
wait_for(all(alice:is("keyed", "north"), bob:is("keyed", "north")), 90000, "both keyed")
wait_for(all(alice:is("listening", "north"), bob:is("listening", "north")), 90000, "both listening")
wait(500)
local start, sent = now(), 0
local comes = start + chance(5000, 20000)
while now() < start + 35000 do
    source:floor("north")
    sent = sent + 1
    if comes and now() > comes then
        late:upload("register")
        comes = nil
    end
    wait(100)
end
expect.rekeys("north", 2, start)
wait_for(late:is("keyed", "north"), 60000, "carol keyed")
wait(1000)
expect.holders("north", alice, bob, late)
expect.gap(alice)
expect.gap(bob)
expect.gap(late)
expect.that(alice:count("floor") == sent and bob:count("floor") == sent, "who was there has understood every floor message")
